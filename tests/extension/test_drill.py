"""A drill corrupts, sees that fsck finds exactly that, heals, and leaves nothing."""

from __future__ import annotations

import itertools

import psycopg
import pytest

from catalogue import fingerprint
from nightly import some
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


def drill_pair(conn, kind, other, seed=0):
    """Return detected, detected_by, unrelated, healed."""
    return conn.execute(
        "SELECT detected, detected_by, unrelated, healed  FROM pggit_chaos.drill_pair(%s, %s, %s)",
        [kind, other, seed],
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


@pytest.mark.slow
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


@pytest.mark.one_version
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
        ("drill_pair(NULL, 'history_gap')", "22004", 'argument "kind" must not be null'),
        ("drill_pair('history_gap', NULL)", "22004", 'argument "other" must not be null'),
        (
            "drill_pair('branch_main_renamed', 'no_such_kind')",
            "42704",
            'corruption kind "no_such_kind" does not exist',
        ),
        (
            "drill_pair('branch_main_deleted', 'branch_main_renamed')",
            "PC004",
            'there is nothing to corrupt by "branch_main_renamed"',
        ),
        (
            "drill_pair('branch_main_retired', 'branch_main_renamed')",
            "PC004",
            'there is nothing else to corrupt by "branch_main_renamed"',
        ),
        ("drill_pairs('no such')", "42704", 'category "no such" of corruption does not exist'),
        ("drill_pairs(seed => NULL)", "22004", 'argument "seed" must not be null'),
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


@pytest.mark.timeout(3600)
def test_on_a_real_pggit_every_kind_is_detected_and_healed(real_pggit):
    target = Target(real_pggit)
    target.prepare()
    target.workload(seed=1, steps=40)
    found = real_pggit.execute("""
        SELECT f.check_id, f.message
          FROM pggit_chaos.fsck() AS f
          JOIN pggit_chaos.integrity_check AS c ON c.check_id = f.check_id
         WHERE c.sound""").fetchall()
    assert found == [], "what it breaks by itself are promises"
    before = fingerprint(real_pggit)
    rows = drill_all(real_pggit)
    assert [row for row in rows if row[1] is False or row[3] or row[4] is False] == []
    assert sum(row[1] is True for row in rows) >= 50
    assert fingerprint(real_pggit) == before


@pytest.mark.slow
@pytest.mark.one_version
def test_hooks_change_no_drill_and_no_drill_wakes_a_fault(used):
    used.execute("SELECT pggit_chaos.install_hooks()")
    used.execute("SELECT pggit_chaos.arm('*', 'error(40001)')")
    before = fingerprint(used)
    rows = drill_all(used)
    assert [row for row in rows if row[1] is not True or row[3] or row[4] is not True] == []
    assert fingerprint(used) == before
    assert used.execute("SELECT * FROM pggit_chaos.hooks_intact()").fetchall() == []


# -- two at once

SAMPLE = 30


@pytest.mark.timeout(3600)
@pytest.mark.one_version
def test_two_corruptions_at_once_are_both_detected_and_healed_in_both_orders(used):
    pairs = list(itertools.combinations(sorted(dict(kinds(used))), 2))
    chosen = some(pairs, SAMPLE)
    before = fingerprint(used)
    verdicts, failed = 0, []
    for kind, other in chosen:
        try:
            row = drill_pair(used, kind, other)
        except psycopg.DatabaseError as error:
            assert error.sqlstate == "PC004", error  # noqa: PT017 only then is it no failure
            continue
        verdicts += 1
        if row[0] is not True or row[2] != [] or row[3] is not True:
            failed.append((kind, other, *row))
    assert failed == []
    assert verdicts > 0.9 * len(chosen)
    assert fingerprint(used) == before


def test_all_pairs_of_a_category_are_drilled_once(used):
    rows = used.execute(
        "SELECT kind, other, detected, unrelated, healed FROM pggit_chaos.drill_pairs('sequence')"
    ).fetchall()
    sequences = used.execute(
        "SELECT kind FROM pggit_chaos.corruption_kind WHERE category = 'sequence' AND applies"
    ).fetchall()
    expected = itertools.combinations(sorted(kind for (kind,) in sequences), 2)
    assert rows == [(*pair, True, [], True) for pair in expected]


def test_what_has_no_two_victims_gets_a_row_of_nulls(used):
    rows = {
        row[:2]: row[2:]
        for row in used.execute(
            "SELECT kind, other, detected, detected_by, unrelated, healed"
            "  FROM pggit_chaos.drill_pairs('dependency')"
        ).fetchall()
    }
    assert rows[("dependency_cycle", "dependency_dangling")][0] is True
    used.execute("DELETE FROM pggit.dependencies")
    assert used.execute(
        "SELECT kind, other, detected, detected_by, unrelated, healed"
        "  FROM pggit_chaos.drill_pairs('dependency')"
    ).fetchall() == [(*pair, None, None, None, None) for pair in rows]


def test_a_check_that_two_kinds_share_must_speak_of_both(used):
    kind, other = "trinity_forged", "trinity_malformed"
    used.execute(
        "UPDATE pggit_chaos._corruption_kind SET detected_by = '{commit_tree_hash_malformed}'"
        " WHERE kind = ANY (%s)",
        [["commit_tree_hash_garbled", other]],
    )
    assert drill_pair(used, kind, "commit_tree_hash_garbled")[0] is True
    assert drill_pair(used, "commit_tree_hash_garbled", other)[0] is False


def test_a_corruption_of_a_pair_that_is_not_undone_exactly_is_not_called_healed(meddled):
    assert drill_pair(meddled, "commit_parent_dangling", "branch_main_retired")[3] is False


# -- what a drill need not run


def relations(plan):
    """Yield the schema and the name of each relation that a plan reads."""
    if "Relation Name" in plan:
        yield plan["Schema"], plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from relations(part)


def test_each_check_names_the_tables_that_it_reads(used):
    used.execute("SET enable_nestloop = off")
    undeclared = []
    checks = used.execute("""
        SELECT c.check_id, c.requires, c.query FROM pggit_chaos._integrity_check AS c
         WHERE c.requires <> '{}' AND pggit_chaos._has(c.requires)
    """).fetchall()
    assert len(checks) > 40
    for check, requires, query in checks:
        (plan,) = used.execute("EXPLAIN (FORMAT JSON, VERBOSE) " + query).fetchone()
        read = {
            f"{schema}.{name}"
            for schema, name in relations(plan[0]["Plan"])
            if schema.startswith("pggit")
        }
        declared = {".".join(name.split(".")[:2]) for name in requires}
        undeclared += [(check, name) for name in sorted(read - declared)]
    assert undeclared == []


def test_a_check_without_tables_of_its_own_reads_the_catalogue_and_is_always_run(used):
    (checks,) = used.execute("""
        SELECT pggit_chaos._checks_of(k) FROM pggit_chaos._corruption_kind AS k
         WHERE k.kind = 'history_gap'
    """).fetchone()
    assert {"history_version_gap", "sequence_behind", "trigger_disabled"} <= set(checks)
    assert "commit_parent_missing" not in checks
    assert used.execute("""
        SELECT pggit_chaos._checks_of(k) FROM pggit_chaos._corruption_kind AS k
         WHERE k.kind = 'trigger_disabled'
    """).fetchone() == (None,)
