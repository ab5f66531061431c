"""Another session holds a lock for a while, and lets go whatever happens."""

from __future__ import annotations

import time

import psycopg
import pytest
from psycopg import errors

pytestmark = pytest.mark.ends_will_do

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"


@pytest.fixture
def holder(conn):
    conn.execute("SET session_replication_role = replica; CREATE EXTENSION dblink")
    conn.execute("RESET session_replication_role")
    yield conn
    conn.execute("SELECT pggit_chaos.release_lock(hold_id) FROM pggit_chaos.lock_hold")


@pytest.fixture
def other(cluster, database, holder):
    with cluster.connect(database, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '50ms'")
        yield connection


def hold(conn, target="pggit.commits", mode="ACCESS EXCLUSIVE", duration="1 minute"):
    return conn.execute(
        "SELECT pggit_chaos.hold_lock(%s, %s, %s)", [target, mode, duration]
    ).fetchone()[0]


def held(conn):
    return conn.execute("SELECT target, mode FROM pggit_chaos.lock_hold ORDER BY 1").fetchall()


def blocked(conn, statement):
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(statement)
    except errors.LockNotAvailable:
        return True
    return False


@pytest.mark.parametrize(
    ("mode", "conflicting", "compatible"),
    [
        ("ACCESS SHARE", "ACCESS EXCLUSIVE", "EXCLUSIVE"),
        ("ROW SHARE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE"),
        ("ROW EXCLUSIVE", "SHARE", "ROW EXCLUSIVE"),
        ("SHARE UPDATE EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "ROW EXCLUSIVE"),
        ("SHARE", "ROW EXCLUSIVE", "SHARE"),
        ("SHARE ROW EXCLUSIVE", "SHARE", "ROW SHARE"),
        ("EXCLUSIVE", "ROW SHARE", "ACCESS SHARE"),
        ("access exclusive", "ACCESS SHARE", None),
    ],
)
def test_each_mode_of_a_table_lock_is_really_held(holder, other, mode, conflicting, compatible):
    hold_id = hold(holder, mode=mode)
    assert held(holder) == [("pggit.commits", mode.upper())]
    assert blocked(other, f"LOCK TABLE pggit.commits IN {conflicting} MODE")
    if compatible:
        assert not blocked(other, f"LOCK TABLE pggit.commits IN {compatible} MODE")
    assert holder.execute("SELECT pggit_chaos.release_lock(%s)", [hold_id]).fetchone() == (True,)
    assert not blocked(other, f"LOCK TABLE pggit.commits IN {conflicting} MODE")
    assert held(holder) == []


def test_the_rows_that_a_condition_names_are_locked_and_no_others(holder, other):
    holder.execute("SELECT pggit.create_branch('feature/x')")
    hold(holder, "pggit.branches WHERE name = 'feature/x' -- and so on", "UPDATE")
    assert blocked(other, "UPDATE pggit.branches SET description = '' WHERE name = 'feature/x'")
    assert not blocked(other, "UPDATE pggit.branches SET description = '' WHERE name = 'main'")


@pytest.mark.parametrize("mode", ["NO KEY UPDATE", "SHARE", "KEY SHARE", "ACCESS EXCLUSIVE"])
def test_each_mode_of_a_row_lock_is_held(holder, other, mode):
    hold(holder, "pggit.branches where id = 1", mode)
    assert blocked(other, "SELECT FROM pggit.branches FOR UPDATE")


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        ("advisory 42", "SELECT pg_advisory_xact_lock(42)"),
        ("ADVISORY (-1, 7)", "SELECT pg_advisory_xact_lock(-1, 7)"),
    ],
)
def test_an_advisory_lock_is_held(holder, other, target, taken):
    hold(holder, target, "EXCLUSIVE")
    assert blocked(other, taken)


def test_a_shared_advisory_lock_is_held(holder, other):
    hold(holder, "advisory 42", "SHARE")
    assert blocked(other, "SELECT pg_advisory_xact_lock(42)")
    assert not blocked(other, "SELECT pg_advisory_xact_lock_shared(42)")


def test_a_commit_waits_and_goes_on_when_the_time_is_over(holder, other):
    hold(holder, duration="100 milliseconds")
    other.execute("SET lock_timeout = '10s'")
    other.execute(COMMIT)


def test_a_hold_shows_who_blocks_whom(holder, cluster, database):
    hold(holder)
    (pid,) = holder.execute("SELECT pid FROM pggit_chaos.lock_hold").fetchone()
    assert pid != holder.info.backend_pid
    assert holder.execute(
        "SELECT mode FROM pg_locks WHERE pid = %s AND relation = 'pggit.commits'::regclass", [pid]
    ).fetchone() == ("AccessExclusiveLock",)


def test_a_hold_ends_with_the_session_that_asked_for_it(cluster, database, holder, other):
    with cluster.connect(database, autocommit=True) as asker:
        hold(asker)
        assert blocked(other, "SELECT FROM pggit.commits")
    other.execute("SET lock_timeout = '10s'")
    assert not blocked(other, "SELECT FROM pggit.commits")
    assert held(holder) == []


def test_a_hold_can_be_released_by_any_session(holder, other):
    hold_id = hold(holder)
    assert other.execute("SELECT pggit_chaos.release_lock(%s)", [hold_id]).fetchone() == (True,)
    assert other.execute("SELECT pggit_chaos.release_lock(%s)", [hold_id]).fetchone() == (False,)
    assert not blocked(other, "SELECT FROM pggit.commits")


def test_disarm_all_releases_holds_when_everything_is_to_end(holder, other):
    hold(holder)
    holder.execute("SELECT pggit_chaos.disarm_all()")
    assert len(held(holder)) == 1
    assert holder.execute("SELECT pggit_chaos.disarm_all(everything => true)").fetchone() == (1,)
    assert held(holder) == []


def test_many_holds_leave_no_connection_behind(holder):
    for _ in range(5):
        holder.execute("SELECT pggit_chaos.release_lock(%s)", [hold(holder)])
    hold(holder)
    assert holder.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pggit_chaos hold_lock'"
    ).fetchone() == (1,)


def test_a_lock_that_is_not_to_be_had_is_an_error_and_leaves_no_session(holder, other):
    with other.transaction():
        other.execute("LOCK TABLE pggit.commits IN SHARE MODE")
        with pytest.raises(errors.LockNotAvailable):
            hold(holder)
    # It was told to go, and goes when PostgreSQL gets round to it.
    deadline = time.monotonic() + 10
    while holder.execute(
        "SELECT FROM pg_stat_activity WHERE application_name = 'pggit_chaos hold_lock'"
    ).rowcount:
        assert time.monotonic() < deadline


def test_a_condition_that_names_no_row_is_an_error(holder):
    with pytest.raises(errors.NoDataFound):
        hold(holder, "pggit.branches WHERE false")
    assert held(holder) == []


@pytest.mark.parametrize(
    "target",
    [
        "pggit.branches WHERE id = 1); DROP TABLE pggit.commits; --",
        "pggit.branches WHERE id = 1; DROP TABLE pggit.commits",
        "pggit.branches WHERE",
        "pggit.branches WHERE nonsense = 1",
        "pggit.branches WHERE (",
        "pggit.branches; DROP TABLE pggit.commits",
        "nothing",
        "pggit.nothing",
        "pggit.commits_id_seq",
        "",
        "advisory x",
        "advisory 1, 2, 3",
    ],
)
def test_a_target_that_is_none_is_refused_and_nothing_of_it_runs(holder, target):
    with pytest.raises(psycopg.ProgrammingError):
        hold(holder, target)
    assert holder.execute("SELECT to_regclass('pggit.commits')").fetchone() != (None,)
    assert held(holder) == []


@pytest.mark.parametrize(
    ("target", "mode"),
    [
        ("pggit.commits", "UPDATE"),
        ("pggit.commits", "EXCLUSIVE MODE; DROP TABLE pggit.commits; --"),
        ("pggit.branches WHERE true", "EXCLUSIVE"),
        ("advisory 1", "UPDATE"),
    ],
)
def test_a_mode_that_the_target_does_not_have_is_refused(holder, target, mode):
    with pytest.raises(errors.InvalidParameterValue, match="invalid lock mode"):
        hold(holder, target, mode)


@pytest.mark.parametrize("duration", ["0", "-1 second", "25 hours"])
def test_a_duration_that_cannot_be_is_refused(holder, duration):
    with pytest.raises(errors.InvalidParameterValue):
        hold(holder, duration=duration)


def test_a_table_with_quotes_in_its_name_is_locked(holder, other):
    holder.execute("""CREATE TABLE pggit."it's ""odd"" */ where" (a int)""")
    name = '''pggit."it's ""odd"" */ where"'''
    holder.execute("SELECT pggit_chaos.hold_lock(%s)", [name])
    assert blocked(other, f"SELECT FROM {name}")
    assert len(held(holder)) == 1


def test_without_dblink_the_error_says_how_to_get_another_session(conn):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        hold(conn)
    assert refusal.value.sqlstate == "PC010"
    conn.execute(refusal.value.diag.message_hint)
    hold(conn, duration="1 millisecond")
