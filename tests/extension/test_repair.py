"""A repair mends what its check finds and nothing else, shows what it does, and can be undone."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from extension.test_integrity import DAMAGE, MORE_TABLES

pytestmark = pytest.mark.ends_will_do

CHECKS = Path(__file__).parents[2] / "sql/60_integrity/checks"
REPAIRABLE = sorted(
    path.stem for path in CHECKS.glob("*.sql") if "@extschema@._repair" in path.read_text()
)

# Where what is damaged by hand for a check is beyond a rule, or more than that check's business.
LESS_DAMAGE = {
    "branch_main_missing": """
        UPDATE pggit.branches SET name = 'renamed' WHERE name = 'main'""",
    "history_drop_malformed": """
        UPDATE pggit.history SET new_version = 9
         WHERE id = (SELECT max(id) FROM pggit.history WHERE change_type = 'DROP')""",
    "snapshot_frozen_unchanged": MORE_TABLES
    + "UPDATE pggit.temporal_snapshots SET frozen = NOT frozen",
}


def found(conn):
    rows = conn.execute("SELECT check_id, row_identity FROM pggit_chaos.fsck()").fetchall()
    return {check for check, _ in rows}, set(rows)


def speaks(conn, check):
    return bool(conn.execute("SELECT FROM pggit_chaos.fsck(ARRAY[%s])", (check,)).fetchall())


def digest(conn):
    return conn.execute("SELECT pggit_chaos.state_digest()").fetchone()[0]


def repair(conn, check, *, dry_run):
    return conn.execute(
        "SELECT statement, applied FROM pggit_chaos.repair(%s, %s)", (check, dry_run)
    ).fetchall()


def state_after(conn, statements):
    """Return the digest after statements that are run by hand and rolled back."""
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            conn.execute(statement)
        return digest(conn)


def make_speak(conn, check):
    """Corrupt by a kind that the check must find, or damage by hand where there is none."""
    kinds = conn.execute(
        "SELECT kind FROM pggit_chaos.corruption_kind"
        " WHERE applies AND %s = ANY (detected_by) ORDER BY cardinality(detected_by), kind",
        (check,),
    ).fetchall()
    for (kind,) in [] if check in LESS_DAMAGE else kinds:
        for seed in range(3):
            (number,) = conn.execute("SELECT pggit_chaos.corrupt(%s, %s)", (kind, seed)).fetchone()
            if speaks(conn, check):
                return
            conn.execute("SELECT pggit_chaos.heal(%s)", (number,))
    conn.execute("SET session_replication_role = replica")
    conn.execute(LESS_DAMAGE.get(check) or DAMAGE[check])
    conn.execute("RESET session_replication_role")
    assert speaks(conn, check)


def test_more_than_a_third_of_all_checks_have_a_repair(conn):
    rows = conn.execute("SELECT check_id FROM pggit_chaos.integrity_check WHERE repairable")
    assert sorted(row[0] for row in rows) == REPAIRABLE
    assert len(REPAIRABLE) > len(list(CHECKS.glob("*.sql"))) / 3


@pytest.mark.one_version
@pytest.mark.parametrize("check", REPAIRABLE)
def test_a_repair_mends_and_heal_undoes_it(used, check):
    make_speak(used, check)
    before, rows = digest(used), found(used)[1]
    assert used.execute(
        "SELECT bool_and(repairable) FROM pggit_chaos.fsck(ARRAY[%s])", (check,)
    ).fetchone() == (True,)

    shown = repair(used, check, dry_run=True)
    assert shown
    assert {applied for _, applied in shown} == {False}
    assert digest(used) == before
    statements = [statement for statement, _ in shown]
    # No rollback takes back what setval() does.
    by_hand = None if "setval(" in statements[0] else state_after(used, statements)

    done = repair(used, check, dry_run=False)
    assert by_hand in (None, digest(used))
    assert [statement for statement, _ in done] == statements
    assert {applied for _, applied in done} == {True}
    still, remaining = found(used)
    assert check not in still
    assert remaining <= rows

    number, kind, state = used.execute(
        "SELECT corruption_id, kind, state FROM pggit_chaos.corruption"
        " ORDER BY corruption_id DESC LIMIT 1"
    ).fetchone()
    assert (kind, state) == (f"repair({check})", "repaired")
    used.execute("SELECT pggit_chaos.heal(%s)", (number,))
    assert digest(used) == before
    assert found(used)[1] == rows


def test_nothing_to_repair_is_no_error(used):
    before = digest(used)
    assert repair(used, "commit_time_order", dry_run=True) == []
    assert repair(used, "commit_time_order", dry_run=False) == []
    assert digest(used) == before
    assert used.execute("SELECT FROM pggit_chaos.corruption").fetchall() == []


@pytest.mark.one_version
def test_a_repair_that_would_leave_a_finding_is_not_done(used):
    used.execute("SELECT pggit_chaos.corrupt('commit_parent_self')")
    used.execute("""
        INSERT INTO pggit_chaos._repair
        SELECT 'commit_field_missing', r.method, r.relation, r.query
          FROM pggit_chaos._repair AS r WHERE r.check_id = 'commit_time_order'""")
    used.execute("UPDATE pggit.commits SET message = NULL WHERE id = 1")
    before = digest(used)
    with pytest.raises(psycopg.Error) as error:
        repair(used, "commit_field_missing", dry_run=False)
    assert error.value.sqlstate == "PC012"
    assert "commit_field_missing id=1" in error.value.diag.message_detail
    assert digest(used) == before


@pytest.mark.one_version
def test_a_repair_that_would_make_another_check_speak_is_not_done(used):
    used.execute("UPDATE pggit.commits SET authored_at = committed_at + interval '1' WHERE id = 1")
    used.execute("""
        UPDATE pggit_chaos._repair
           SET query = $$ SELECT t.ctid AS victim,
                                 '{"committed_at": null, "authored_at": null}'::jsonb AS change
                            FROM finding AS f
                            JOIN ONLY pggit.commits AS t
                              ON f.row_identity = format('id=%s', t.id) $$
         WHERE check_id = 'commit_time_order'""")
    with pytest.raises(psycopg.Error) as error:
        repair(used, "commit_time_order", dry_run=False)
    assert error.value.sqlstate == "PC012"
    assert re.search("commit_field_missing id=1", error.value.diag.message_detail)


def test_a_check_without_a_rule_says_what_to_do(used):
    with pytest.raises(psycopg.Error) as error:
        repair(used, "commit_hash_empty", dry_run=True)
    assert error.value.sqlstate == "PC011"
    assert error.value.diag.message_detail.startswith("Restore the hash")
    assert len(used.execute(error.value.diag.message_hint).fetchall()) == len(REPAIRABLE)


@pytest.mark.one_version
def test_heal_all_takes_back_a_repair_with_the_corruption_below_it_alone(used):
    used.execute("UPDATE pggit.commits SET authored_at = committed_at + interval '1' WHERE id = 1")
    repair(used, "commit_time_order", dry_run=False)
    mended = digest(used)
    used.execute("SELECT pggit_chaos.corrupt('commit_tree_hash_garbled')")
    repair(used, "commit_tree_hash_malformed", dry_run=False)
    assert used.execute("SELECT pggit_chaos.heal_all()").fetchone() == (2,)
    assert digest(used) == mended
    states = used.execute("SELECT state FROM pggit_chaos.corruption ORDER BY corruption_id")
    assert [row[0] for row in states] == ["repaired", "healed", "healed"]
