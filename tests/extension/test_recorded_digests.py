"""What was recorded is compared with: rewritten history and changed functions are found."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import restored
from extension.test_integrity import MORE_TABLES
from pggit_chaos import inspection
from pggit_chaos.target import Target

pytestmark = pytest.mark.ends_will_do

COMPARING = {
    "commit_gone",
    "commit_rewritten",
    "function_altered",
    "function_gone",
    "history_gone",
    "history_rewritten",
}
SUBJECTS = ["commit", "function", "history"]
ODD_SETTINGS = """
    SET datestyle = 'SQL, DMY'; SET intervalstyle = iso_8601; SET timezone = 'Asia/Kolkata';
    SET extra_float_digits = -5; SET bytea_output = escape; SET quote_all_identifiers = on;
    SET search_path = pggit, public; SET client_encoding = latin1; SET enable_hashjoin = off
"""
BODY = "SELECT pg_get_functiondef('pggit.checkout_branch(text)'::regprocedure)"


def record(conn, subjects=None, *, replace=False):
    """Return added, kept, differing and gone by subject."""
    rows = conn.execute(
        "SELECT subject, added, kept, differing, gone"
        "  FROM pggit_chaos.record_digests(%s::text[], %s)",
        [subjects, replace],
    )
    return {row[0]: row[1:] for row in rows}


def fsck(conn):
    return conn.execute("SELECT check_id, row_identity FROM pggit_chaos.fsck()").fetchall()


def applying(conn):
    rows = conn.execute(
        "SELECT check_id FROM pggit_chaos.integrity_check WHERE applies AND check_id = ANY (%s)",
        [sorted(COMPARING)],
    )
    return {row[0] for row in rows}


def refusal(conn, statement):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(statement)
    return error.value


def tamper(conn, statement):
    conn.execute("SET session_replication_role = replica")
    conn.execute(statement)
    conn.execute("RESET session_replication_role")


@pytest.fixture
def recorded(used):
    """The connection to a much used pgGit of which everything is recorded."""
    record(used)
    return used


# -- with nothing recorded


def test_what_compares_does_not_apply_while_nothing_is_recorded(used):
    assert applying(used) == set()
    assert set(inspection.run(used).inapplicable) >= COMPARING
    assert set(inspection.run_read_only(used).inapplicable) >= COMPARING


@pytest.mark.parametrize("check", sorted(COMPARING))
def test_a_check_that_is_named_with_nothing_recorded_says_what_to_do(used, check):
    error = refusal(used, f"SELECT * FROM pggit_chaos.fsck('{{{check}}}')")
    assert error.sqlstate == "PC008"
    assert "No digests of" in error.diag.message_detail
    used.execute(error.diag.message_hint)
    assert used.execute(f"SELECT * FROM pggit_chaos.fsck('{{{check}}}')").fetchall() == []


def test_a_check_applies_as_soon_as_its_own_subject_is_recorded(used):
    record(used, ["history"])
    assert applying(used) == {"history_gone", "history_rewritten"}


# -- what is recorded


def test_to_record_counts_by_subject_and_again_changes_nothing(used):
    first = record(used)
    assert sorted(first) == SUBJECTS
    assert all(added > 5 and rest == [0, 0, 0] for added, *rest in first.values())
    assert record(used) == {name: (0, row[0], 0, 0) for name, row in first.items()}
    assert used.execute(
        "SELECT subject, digests FROM pggit_chaos.recorded_digest ORDER BY subject"
    ).fetchall() == [(name, first[name][0]) for name in SUBJECTS]


def test_what_is_new_is_added(recorded):
    before = record(recorded)
    recorded.execute("SELECT pggit.commit_changes('main', 'another one')")
    added, kept, differing, gone = record(recorded)["commit"]
    assert (added, kept, differing, gone) == (1, before["commit"][1], 0, 0)


def test_recorded_and_untouched_is_clean_in_both_ways(recorded):
    assert applying(recorded) == COMPARING
    assert fsck(recorded) == []
    assert inspection.run_read_only(recorded).ran >= COMPARING
    assert list(inspection.run_read_only(recorded).findings) == []


def test_no_setting_of_a_session_changes_what_is_recorded_or_read(recorded):
    counts = record(recorded)
    recorded.execute(ODD_SETTINGS)
    assert record(recorded) == counts
    assert fsck(recorded) == []
    assert list(inspection.run_read_only(recorded).findings) == []


def test_neither_another_column_nor_another_order_of_columns_is_a_change(recorded):
    for table in ("commits", "history"):
        tamper(recorded, f"ALTER TABLE pggit.{table} ADD COLUMN of_a_newer_pggit text DEFAULT 'x'")
    tamper(recorded, "ALTER TABLE pggit.commits RENAME COLUMN message TO old")
    tamper(recorded, "ALTER TABLE pggit.commits ADD COLUMN message text")
    tamper(recorded, "UPDATE pggit.commits SET message = old")
    tamper(recorded, "ALTER TABLE pggit.commits DROP COLUMN old")
    assert fsck(recorded) == []


def test_hooks_going_in_and_out_are_no_change(recorded):
    counts = record(recorded)
    recorded.execute("SELECT pggit_chaos.install_hooks()")
    assert fsck(recorded) == []
    assert record(recorded) == counts
    recorded.execute("SELECT pggit_chaos.forget_digests(); SELECT pggit_chaos.record_digests()")
    recorded.execute("SELECT pggit_chaos.uninstall_hooks()")
    assert fsck(recorded) == []


def test_ordinary_work_is_no_change(recorded):
    target = Target(recorded)
    target.workload(seed=3, steps=25)
    target.delete_branch("copied")
    assert fsck(recorded) == []


# -- what is found


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE pggit.commits SET message = left(message, 3) WHERE id = 1", "commit_rewritten"),
        ("UPDATE pggit.commits SET message = '' WHERE id = 1", "commit_rewritten"),
        ("UPDATE pggit.commits SET author = 'nobody' WHERE id = 1", "commit_rewritten"),
        ("UPDATE pggit.commits SET metadata = '{\"a\": 1}' WHERE id = 1", "commit_rewritten"),
        ("UPDATE pggit.commits SET id = -1 WHERE id = 1", "commit_gone"),
        ("UPDATE pggit.history SET sql_executed = 'DROP x' WHERE id = 1", "history_rewritten"),
        ("UPDATE pggit.history SET created_by = 'nobody' WHERE id = 1", "history_rewritten"),
        ("UPDATE pggit.history SET old_hash = 'x' WHERE id = 1", "history_rewritten"),
        ("DELETE FROM pggit.history WHERE id = 1", "history_gone"),
    ],
)
def test_a_row_that_is_tampered_with_is_found(recorded, statement, found):
    tamper(recorded, statement)
    assert (found, "id=1") in fsck(recorded)
    assert {check for check, _ in fsck(recorded)} & (COMPARING - {found}) == set()


def test_values_do_not_run_into_each_other(recorded):
    tamper(recorded, "UPDATE pggit.commits SET message = 'a', author = 'b,c' WHERE id = 1")
    record(recorded, ["commit"], replace=True)
    tamper(recorded, "UPDATE pggit.commits SET message = 'a,b', author = 'c' WHERE id = 1")
    assert ("commit_rewritten", "id=1") in fsck(recorded)


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        "CREATE OR REPLACE FUNCTION pggit.checkout_branch(p_branch_name text) RETURNS text"
        " LANGUAGE plpgsql AS $$ BEGIN RETURN 'x'; END $$",
        "ALTER FUNCTION pggit.checkout_branch(text) SECURITY DEFINER",
        "ALTER FUNCTION pggit.checkout_branch(text) SET work_mem = '1GB'",
        "ALTER FUNCTION pggit.checkout_branch(text) IMMUTABLE",
    ],
)
def test_a_function_that_is_changed_is_found(recorded, change, hooked):
    if hooked:
        recorded.execute("SELECT pggit_chaos.install_hooks()")
    tamper(recorded, change)
    assert fsck(recorded) == [("function_altered", "function=pggit.checkout_branch(text)")]


def test_a_hook_hides_no_change_of_the_body_in_it(recorded):
    recorded.execute("SELECT pggit_chaos.install_hooks()")
    (definition,) = recorded.execute(BODY).fetchone()
    assert "/*pggit_chaos*/BEGIN IF" in definition
    tamper(recorded, definition.replace("THEN END IF; ", "THEN END IF; /* changed */ ", 1))
    assert fsck(recorded) == [("function_altered", "function=pggit.checkout_branch(text)")]


def test_a_function_that_no_release_must_have_is_missed_when_it_is_gone(recorded):
    tamper(recorded, "CREATE FUNCTION pggit.of_our_own() RETURNS integer LANGUAGE sql RETURN 1")
    record(recorded)
    tamper(recorded, "DROP FUNCTION pggit.of_our_own()")
    assert fsck(recorded) == [("function_gone", "function=pggit.of_our_own()")]


def test_owner_and_grants_are_the_owners_own(recorded):
    with restored(recorded, "chaos_other_owner") as role:
        tamper(recorded, f"GRANT EXECUTE ON FUNCTION pggit.checkout_branch(text) TO {role}")
        assert fsck(recorded) == []


def test_the_action_says_what_to_do_and_that_it_can_be_done(recorded):
    tamper(recorded, "UPDATE pggit.commits SET message = 'x' WHERE id = 1")
    (action,) = recorded.execute("SELECT action FROM pggit_chaos.fsck()").fetchone()
    assert refusal(recorded, "SELECT pggit_chaos.repair('commit_rewritten')").sqlstate == "PC011"
    recorded.execute("SELECT * FROM " + action.partition("SELECT * FROM ")[2].rstrip("."))
    assert fsck(recorded) == []


# -- recording again


def test_recording_again_blesses_nothing_by_itself(recorded):
    tamper(recorded, "UPDATE pggit.commits SET message = 'x' WHERE id = 1")
    tamper(recorded, "DELETE FROM pggit.history WHERE id = 1")
    before = fsck(recorded)
    counts = record(recorded)
    assert (counts["commit"][2:], counts["history"][2:]) == ((1, 0), (0, 1))
    assert fsck(recorded) == before
    assert record(recorded) == counts


def test_what_is_replaced_is_of_the_named_subjects_alone(recorded):
    tamper(recorded, "UPDATE pggit.commits SET message = 'x' WHERE id = 1")
    tamper(recorded, "UPDATE pggit.history SET created_by = 'x' WHERE id = 1")
    assert record(recorded, ["history"], replace=True)["history"][2] == 1
    assert fsck(recorded) == [("commit_rewritten", "id=1")]
    assert record(recorded, replace=True)["commit"][2] == 1
    assert fsck(recorded) == []
    assert all(row[2:] == (0, 0) for row in record(recorded).values())


def test_what_is_gone_is_forgotten_when_it_is_replaced(recorded):
    tamper(recorded, "DELETE FROM pggit.history WHERE id = 1")
    record(recorded, replace=True)
    assert "history_gone" not in {check for check, _ in fsck(recorded)}


def test_to_forget_counts_and_leaves_nothing_to_compare_with(recorded):
    (total,) = recorded.execute("SELECT sum(digests) FROM pggit_chaos.recorded_digest").fetchone()
    (functions,) = recorded.execute("SELECT pggit_chaos.forget_digests('{function}')").fetchone()
    assert applying(recorded) == {c for c in COMPARING if not c.startswith("function")}
    (rest,) = recorded.execute("SELECT pggit_chaos.forget_digests()").fetchone()
    assert (functions + rest, applying(recorded)) == (total, set())


def test_what_pggit_has_lost_since_can_be_forgotten(recorded):
    recorded.execute("ALTER TABLE pggit.commits DROP COLUMN object_hashes CASCADE")
    assert recorded.execute("SELECT pggit_chaos.forget_digests('{commit}') > 0").fetchone() == (
        True,
    )
    assert refusal(recorded, "SELECT pggit_chaos.record_digests('{commit}')").sqlstate == "PC008"


def test_what_ends_everything_ends_no_recording(recorded):
    recorded.execute("SELECT pggit_chaos.corrupt('commit_message_altered')")
    assert {check for check, _ in fsck(recorded)} == {"commit_rewritten"}
    recorded.execute("SELECT pggit_chaos.disarm_all(everything => true)")
    assert (applying(recorded), fsck(recorded)) == (COMPARING, [])


# -- refusals


@pytest.mark.parametrize("call", ["record_digests()", "forget_digests()"])
def test_nothing_is_recorded_or_forgotten_before_the_owner_opts_in(recorded, call):
    recorded.execute(f'ALTER DATABASE "{recorded.info.dbname}" RESET pggit_chaos.enabled')
    assert refusal(recorded, f"SELECT pggit_chaos.{call}").sqlstate == "PC001"
    assert applying(recorded) == COMPARING


@pytest.mark.parametrize(
    ("call", "sqlstate", "message"),
    [
        ("record_digests('{comit}')", "42704", 'no digests are recorded of "comit"'),
        ("record_digests('{NULL}')", "22004", 'argument "subjects" must not be null'),
        ("record_digests('{}')", "22023", "no subject is named"),
        ("record_digests(replace => NULL)", "22004", 'argument "replace" must not be null'),
        ("forget_digests('{comit}')", "42704", 'no digests are recorded of "comit"'),
        ("forget_digests('{}')", "22023", "no subject is named"),
    ],
)
def test_misuse_says_what_is_wrong(conn, call, sqlstate, message):
    error = refusal(conn, f"SELECT pggit_chaos.{call}")
    assert (error.sqlstate, error.diag.message_primary) == (sqlstate, message)


def test_a_subject_that_this_pggit_lacks_is_left_out_unless_it_is_named(conn):
    conn.execute("ALTER TABLE pggit.commits DROP COLUMN object_hashes")
    assert sorted(record(conn)) == ["function", "history"]
    error = refusal(conn, "SELECT pggit_chaos.record_digests('{commit}')")
    assert error.sqlstate == "PC008"
    assert "pggit.commits.object_hashes" in error.diag.message_detail


def test_a_row_that_a_policy_hides_is_an_error_and_not_unrecorded(used):
    with restored(used, "chaos_recorder") as role:
        used.execute(f"""
            GRANT USAGE ON SCHEMA pggit_chaos, pggit TO {role};
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role};
            GRANT ALL ON ALL TABLES IN SCHEMA pggit_chaos, pggit TO {role};
            ALTER TABLE pggit.commits ENABLE ROW LEVEL SECURITY;
            SET ROLE {role};
        """)
        error = refusal(used, "SELECT pggit_chaos.record_digests()")
        assert (error.sqlstate, "row-level security" in str(error)) == ("42501", True)


# -- drills


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.one_version
def test_a_drill_is_the_same_whether_anything_is_recorded_or_not(used):
    query = "SELECT kind, detected, unrelated, healed FROM pggit_chaos.drill_all(seed => 2)"
    before = used.execute(query).fetchall()
    assert [row for row in before if row[1] is not True or row[2] or row[3] is not True] == []
    assert applying(used) == set()
    counts = record(used)
    assert used.execute(query).fetchall() == before
    assert record(used) == {name: (0, row[0], 0, 0) for name, row in counts.items()}


def test_what_came_after_the_recording_is_drilled_too(used):
    used.execute("SELECT pggit_chaos.record_digests()")
    tamper(
        used,
        "DELETE FROM pggit_chaos._recorded_digest WHERE subject = 'commit' AND"
        " row_identity <> 'id=1'",
    )
    for seed in range(3):
        assert used.execute(
            "SELECT detected, unrelated, healed"
            "  FROM pggit_chaos.drill('commit_message_altered', %s)",
            [seed],
        ).fetchone() == (True, [], True)
    assert used.execute(
        "SELECT digests FROM pggit_chaos.recorded_digest WHERE subject = 'commit'"
    ).fetchone() == (1,)


@pytest.mark.parametrize("kind", ["commit_message_truncated", "function_body_changed"])
def test_a_drill_does_not_detect_what_its_check_is_blind_to(used, kind):
    used.execute(
        "UPDATE pggit_chaos._integrity_check SET query = 'SELECT NULL, NULL WHERE false'"
        " WHERE compares IS NOT NULL"
    )
    assert used.execute(
        "SELECT detected, unrelated, healed FROM pggit_chaos.drill(%s)", [kind]
    ).fetchone() == (False, [], True)


def test_a_changed_body_is_one_that_postgresql_takes_and_calls(used):
    for seed in range(5):
        with used.transaction(force_rollback=True):
            used.execute("SELECT pggit_chaos.corrupt('function_body_changed', %s)", [seed])
            (changed,) = used.execute(
                "SELECT count(*) FROM pg_proc WHERE prosrc ~ 'EXCEPTION WHEN OTHERS'"
                " AND prosrc ~ '_pggit_chaos_swallows'"
                " AND pronamespace = 'pggit'::regnamespace"
            ).fetchone()
            assert changed == 1


# -- on released pgGits


@pytest.mark.one_version
@pytest.mark.parametrize("seed", [0, 1])
def test_a_released_pggit_rewrites_nothing(real_pggit, seed):
    target = Target(real_pggit)
    target.prepare()
    record(real_pggit)
    for _ in range(2):
        target.workload(seed=seed, steps=25)
        found = {check for check, _ in fsck(real_pggit)}
        assert (
            found & {"commit_rewritten", "history_rewritten", "function_altered", "function_gone"}
            == set()
        )
        record(real_pggit)
        seed += 10


@pytest.mark.one_version
def test_hooks_in_a_released_pggit_are_no_change(real_pggit):
    record(real_pggit)
    real_pggit.execute("SELECT pggit_chaos.install_hooks()")
    assert {check for check, _ in fsck(real_pggit)} & COMPARING == set()
    real_pggit.execute("SELECT pggit_chaos.uninstall_hooks()")
    assert {check for check, _ in fsck(real_pggit)} & COMPARING == set()


# -- conventions


def test_each_check_that_compares_has_something_to_compare_with(conn):
    rows = conn.execute("""
        SELECT c.check_id, c.compares, 'pggit_chaos._recorded_digest' = ANY (c.requires),
               r.subject
          FROM pggit_chaos._integrity_check AS c
          LEFT JOIN pggit_chaos._recording AS r ON r.subject = c.compares
         WHERE c.compares IS NOT NULL OR c.query ~ '_recorded_digest'
    """).fetchall()
    assert {row[0] for row in rows} == COMPARING
    assert all(compares == subject and declared for _, compares, declared, subject in rows)


def test_other_tables_of_a_released_pggit_do_not_matter(used):
    tamper(used, MORE_TABLES)
    record(used)
    assert fsck(used) == []
