"""A finding that is known and lived with is left out, and that one alone."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import restored

pytestmark = pytest.mark.ends_will_do

CHECK = "commit_time_order"


def spoke(conn):
    return {
        (row[0], row[1])
        for row in conn.execute("SELECT check_id, row_identity FROM pggit_chaos.fsck()").fetchall()
    }


def accepted(conn):
    return conn.execute(
        "SELECT check_id, row_identity, reason, stale FROM pggit_chaos.accepted_finding"
    ).fetchall()


@pytest.fixture
def flawed(used):
    """A pgGit with two findings of one check."""
    used.execute("""
        UPDATE pggit.commits SET authored_at = committed_at + interval '1 minute'
         WHERE id IN (1, 2)""")
    assert spoke(used) == {(CHECK, "id=1"), (CHECK, "id=2")}
    return used


def accept(conn, row_identity, reason="a clock was wrong"):
    conn.execute("SELECT pggit_chaos.accept_finding(%s, %s, %s)", (CHECK, row_identity, reason))


def test_fsck_leaves_out_what_was_accepted(flawed):
    accept(flawed, "id=1")
    assert spoke(flawed) == {(CHECK, "id=2")}
    assert accepted(flawed) == [(CHECK, "id=1", "a clock was wrong", False)]


def test_to_accept_again_replaces_the_reason(flawed):
    accept(flawed, "id=1")
    accept(flawed, "id=1", "another reason")
    assert accepted(flawed) == [(CHECK, "id=1", "another reason", False)]


def test_what_is_rejected_is_found_again(flawed):
    accept(flawed, "id=1")
    for expected in (True, False):
        assert flawed.execute(
            "SELECT pggit_chaos.reject_finding(%s, 'id=1')", (CHECK,)
        ).fetchone() == (expected,)
    assert spoke(flawed) == {(CHECK, "id=1"), (CHECK, "id=2")}
    assert accepted(flawed) == []


@pytest.mark.one_version
def test_an_accepted_finding_that_is_gone_is_stale(flawed):
    accept(flawed, "id=1")
    accept(flawed, "id=2")
    flawed.execute("UPDATE pggit.commits SET authored_at = committed_at WHERE id = 1")
    assert {(row[1], row[3]) for row in accepted(flawed)} == {("id=1", True), ("id=2", False)}


@pytest.mark.one_version
def test_what_was_accepted_for_a_check_that_no_longer_applies_is_stale(used):
    used.execute("SELECT pggit_chaos.accept_finding('dependency_cycle', 'id=1', 'a reason')")
    used.execute("DROP TABLE pggit.dependencies")
    assert accepted(used) == [("dependency_cycle", "id=1", "a reason", True)]


@pytest.mark.one_version
def test_a_drill_is_seen_whatever_was_accepted(flawed):
    for (identity,) in flawed.execute("SELECT format('id=%s', id) FROM pggit.commits").fetchall():
        accept(flawed, identity)
    assert spoke(flawed) == set()
    drill = flawed.execute(
        "SELECT detected, unrelated, healed FROM pggit_chaos.drill('commit_time_reversed')"
    ).fetchone()
    assert drill == (True, [], True)


@pytest.mark.one_version
def test_a_repair_leaves_alone_what_was_accepted(flawed):
    accept(flawed, "id=1")
    done = flawed.execute("SELECT * FROM pggit_chaos.repair(%s, false)", (CHECK,)).fetchall()
    assert len(done) == 1
    assert spoke(flawed) == set()
    flawed.execute("SELECT pggit_chaos.reject_finding(%s, 'id=1')", (CHECK,))
    assert spoke(flawed) == {(CHECK, "id=1")}


@pytest.mark.one_version
def test_whoever_may_run_fsck_gets_the_same_findings(flawed):
    accept(flawed, "id=1")
    with restored(flawed, "chaos_checker") as role:
        flawed.execute(f"""
            GRANT USAGE ON SCHEMA pggit_chaos, pggit TO {role};
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role};
            GRANT SELECT ON ALL TABLES IN SCHEMA pggit_chaos, pggit TO {role};
            GRANT SELECT ON ALL SEQUENCES IN SCHEMA pggit TO {role};
            SET ROLE {role}""")
        assert spoke(flawed) == {(CHECK, "id=2")}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            accept(flawed, "id=2")


@pytest.mark.one_version
@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("accept_finding('commit_time_ordr', 'id=1', 'a reason')", "42704"),
        ("accept_finding('commit_time_order', NULL, 'a reason')", "22004"),
        ("accept_finding('commit_time_order', 'id=1', NULL)", "22004"),
        ("reject_finding(NULL, 'id=1')", "22004"),
    ],
)
def test_misuse_says_what_is_wrong(conn, call, sqlstate):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(f"SELECT pggit_chaos.{call}")
    assert error.value.sqlstate == sqlstate


@pytest.mark.one_version
@pytest.mark.parametrize(
    "call",
    [
        "accept_finding('commit_time_order', 'id=1', 'a reason')",
        "reject_finding('commit_time_order', 'id=1')",
        "repair('commit_time_order', false)",
    ],
)
def test_nothing_is_written_before_the_owner_opts_in(conn, call):
    conn.execute(f'ALTER DATABASE "{conn.info.dbname}" RESET pggit_chaos.enabled')
    with pytest.raises(psycopg.Error) as error:
        conn.execute(f"SELECT pggit_chaos.{call}")
    assert error.value.sqlstate == "PC001"
