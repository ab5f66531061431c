"""A drill corrupts, sees that fsck finds exactly that, heals, and leaves nothing."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import fingerprint
from pggit_chaos.target import Target


def drill_all(conn, category=None, seed=0):
    return conn.execute(
        "SELECT kind, detected, detected_by, unrelated, healed"
        "  FROM pggit_chaos.drill_all(%s::text, %s)",
        [category, seed],
    ).fetchall()


def drill(conn, kind, seed=0):
    """Return detected, detected_by, unrelated, healed."""
    return conn.execute(
        "SELECT detected, detected_by, unrelated, healed FROM pggit_chaos.drill(%s, %s)",
        [kind, seed],
    ).fetchone()


def kinds(conn):
    return conn.execute(
        "SELECT kind, detected_by FROM pggit_chaos.corruption_kind WHERE applies"
    ).fetchall()


def refusal(conn, statement):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(statement)
    return error.value


def test_every_kind_is_detected_by_its_own_checks_alone_and_healed_without_a_trace(used):
    declared = dict(kinds(used))
    before = fingerprint(used)
    rows = drill_all(used)
    assert sorted(row[0] for row in rows) == sorted(declared)
    failed = [row for row in rows if row[1] is not True or row[3] != [] or row[4] is not True]
    assert failed == []
    assert all(set(row[2]) <= set(declared[row[0]]) for row in rows)
    assert fingerprint(used) == before, "a drill leaves the database as it was"
    assert used.execute("SELECT count(*) FROM pggit_chaos.corruption").fetchone() == (0,)


@pytest.mark.one_version
def test_a_drill_does_not_depend_on_the_victims_that_a_seed_chooses(used):
    rows = drill_all(used, seed=-3)
    assert [row for row in rows if row[1] is not True or row[3] or row[4] is not True] == []


@pytest.mark.one_version
def test_a_drill_changes_nothing_in_the_middle_of_a_transaction(used):
    with used.transaction():
        used.execute("SELECT pggit.commit_changes('main', 'uncommitted')")
        before = used.execute("SELECT pggit_chaos.state_digest()").fetchone()
        assert len(drill_all(used, "sequence") + drill_all(used, "commit")) > 10
        assert used.execute("SELECT pggit_chaos.state_digest()").fetchone() == before


def test_what_there_is_nothing_to_corrupt_of_gets_a_row_of_nulls(conn):
    rows = {row[0]: row[1:] for row in drill_all(conn)}
    assert rows["commit_parent_dangling"] == (None, None, None, None)
    assert rows["branch_main_deleted"] == (True, ["branch_main_missing"], [], True)


def test_a_category_narrows_the_drills(used):
    rows = {row[0] for row in drill_all(used, "branch")}
    assert rows == {
        kind
        for (kind,) in used.execute(
            "SELECT kind FROM pggit_chaos.corruption_kind WHERE category = 'branch'"
        )
    }


def test_one_drill_says_what_drill_all_says_of_it(used):
    rows = {row[0]: row[1:] for row in drill_all(used, "history", 5)}
    assert drill(used, "history_gap", 5) == rows["history_gap"]


def test_what_was_wrong_before_neither_counts_nor_hides_the_new(used):
    used.execute("SELECT pggit_chaos.corrupt('commit_parent_dangling', 1)")
    used.execute("UPDATE pggit.branches SET head_commit_hash = 'gone' WHERE name = 'main'")
    before = used.execute("SELECT * FROM pggit_chaos.fsck()").fetchall()
    assert drill(used, "commit_parent_dangling", 2) == (True, ["commit_parent_missing"], [], True)
    assert used.execute("SELECT * FROM pggit_chaos.fsck()").fetchall() == before


def test_a_check_that_overlooks_a_corruption_is_not_taken_for_one_that_detects_it(used):
    used.execute(
        "UPDATE pggit_chaos._integrity_check SET query = query || ' AND false'"
        " WHERE check_id = 'commit_parent_missing'"
    )
    assert drill(used, "commit_parent_dangling") == (False, [], [], True)


def test_a_check_that_has_no_business_with_a_corruption_is_unrelated(used):
    used.execute(
        "UPDATE pggit_chaos._corruption_kind SET detected_by = '{commit_parent_cycle}'"
        " WHERE kind = 'commit_parent_dangling'"
    )
    assert drill(used, "commit_parent_dangling") == (False, [], ["commit_parent_missing"], True)


@pytest.fixture
def meddled(used):
    """The connection, where a trigger that always fires changes what is written to commits."""
    used.execute("""
        SET session_replication_role = replica;
        CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN NEW.message := NEW.message || ''!''; RETURN NEW; END';
        CREATE TRIGGER meddle BEFORE UPDATE ON pggit.commits
            FOR EACH ROW EXECUTE FUNCTION public.meddle();
        ALTER TABLE pggit.commits ENABLE ALWAYS TRIGGER meddle;
        RESET session_replication_role;
    """)
    return used


def test_a_corruption_that_is_not_undone_exactly_is_not_called_healed(meddled):
    before = fingerprint(meddled)
    assert drill(meddled, "commit_parent_dangling") == (True, ["commit_parent_missing"], [], False)
    assert fingerprint(meddled) == before


@pytest.mark.parametrize(
    ("statement", "sqlstate", "message"),
    [
        ("drill('no_such_kind')", "42704", 'corruption kind "no_such_kind" does not exist'),
        ("drill(NULL)", "22004", 'argument "kind" must not be null'),
        ("drill('history_gap', NULL)", "22004", 'argument "seed" must not be null'),
        ("drill('history_gap')", "PC004", 'there is nothing to corrupt by "history_gap"'),
        ("drill_all('no such')", "42704", 'category "no such" of corruption does not exist'),
        ("drill_all(seed => NULL)", "22004", 'argument "seed" must not be null'),
    ],
)
def test_misuse_says_what_is_wrong(conn, statement, sqlstate, message):
    error = refusal(conn, f"SELECT pggit_chaos.{statement}")
    assert (error.sqlstate, error.diag.message_primary) == (sqlstate, message)


def test_a_kind_that_does_not_apply_is_refused_by_name_and_left_out_otherwise(used):
    used.execute("ALTER TABLE pggit.commits DROP COLUMN parent_commit_hash")
    assert refusal(used, "SELECT pggit_chaos.drill('commit_parent_self')").sqlstate == "PC008"
    rows = {row[0] for row in drill_all(used, "commit")}
    assert "commit_parent_self" not in rows
    assert "commit_message_lost" in rows


def test_on_a_real_pggit_every_kind_is_detected_and_healed(real_pggit):
    target = Target(real_pggit)
    target.prepare()
    target.workload(seed=1, steps=40)
    assert real_pggit.execute("SELECT * FROM pggit_chaos.fsck()").fetchall() == []
    before = fingerprint(real_pggit)
    rows = drill_all(real_pggit)
    assert [row for row in rows if row[1] is False or row[3] or row[4] is False] == []
    assert sum(row[1] is True for row in rows) >= 50
    assert fingerprint(real_pggit) == before


@pytest.mark.one_version
def test_hooks_change_no_drill_and_no_drill_wakes_a_fault(used):
    used.execute("SELECT pggit_chaos.install_hooks()")
    used.execute("SELECT pggit_chaos.arm('*', 'error(40001)')")
    before = fingerprint(used)
    rows = drill_all(used)
    assert [row for row in rows if row[1] is not True or row[3] or row[4] is not True] == []
    assert fingerprint(used) == before
    assert used.execute("SELECT * FROM pggit_chaos.hooks_intact()").fetchall() == []
