"""A session stops in the middle of pgGit, is looked at from outside, and goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

pytestmark = pytest.mark.ends_will_do

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"
AFTER = "pggit.commits.insert.after"


@pytest.fixture
def sessions(cluster, database, hooked):
    """Make sessions that run statements in threads of their own."""
    made = []
    with ThreadPoolExecutor(8) as pool:

        def session():
            connection = cluster.connect(database, autocommit=True)
            made.append(connection)
            return connection, lambda statement: pool.submit(connection.execute, statement)

        yield session
        hooked.execute("SELECT pggit_chaos.disarm_all()")
        for connection in made:
            if not connection.closed:
                connection.cancel()
    for connection in made:
        connection.close()


def arm(conn, scope="database", failpoint=AFTER, term="wait", **options):
    names = "".join(f", {name} => %({name})s" for name in options)
    return conn.execute(
        f"SELECT pggit_chaos.arm(%(failpoint)s, %(term)s, %(scope)s{names})",
        {"failpoint": failpoint, "term": term, "scope": scope, **options},
    ).fetchone()[0]


def triggered(conn, hits=1, failpoint=AFTER, timeout="10 seconds"):
    return conn.execute(
        "SELECT pggit_chaos.wait_triggered(%s, %s, %s)", [failpoint, hits, timeout]
    ).fetchone()[0]


def wake(conn, *, disarm=False, failpoint=AFTER):
    return conn.execute("SELECT pggit_chaos.wake(%s, %s)", [failpoint, disarm]).fetchone()[0]


def commits(conn):
    return conn.execute("SELECT count(*) FROM pggit.commits").fetchone()[0]


def test_a_commit_stops_in_its_middle_and_goes_on_when_woken(hooked, sessions):
    _, run = sessions()
    arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    assert not running.done()
    assert commits(hooked) == 0
    assert wake(hooked) == 1
    assert running.result(10).fetchone()[0]
    assert commits(hooked) == 1


def test_the_fault_stays_armed_after_a_wake(hooked, sessions):
    _, run = sessions()
    arm(hooked)
    for hits in (1, 2):
        running = run(COMMIT)
        assert triggered(hooked, hits)
        assert wake(hooked) == 1
        running.result(10)


def test_wake_and_disarm_lets_everyone_go_and_nobody_stops_again(hooked, sessions):
    arm(hooked, failpoint="pggit.commit_changes(text,text,text)")
    running = [sessions()[1](COMMIT) for _ in range(4)]
    assert triggered(hooked, 4, "pggit.commit_changes")
    assert wake(hooked, disarm=True, failpoint="pggit.commit_changes") == 4
    for one in running:
        one.result(10)
    hooked.execute(COMMIT)
    assert commits(hooked) == 5


def test_sessions_are_released_in_any_order(hooked, sessions):
    first, run_first = sessions()
    second, run_second = sessions()
    arm(hooked, f"pid:{first.info.backend_pid}", "pggit.commit_changes(text,text,text)")
    arm(hooked, f"pid:{second.info.backend_pid}", "pggit.generate_trinity_id()")
    one, two = run_first(COMMIT), run_second(COMMIT)
    assert triggered(hooked, failpoint="pggit.commit_changes")
    assert triggered(hooked, failpoint="pggit.generate_trinity_id")
    assert wake(hooked, failpoint="pggit.generate_trinity_id") == 1
    two.result(10)
    assert not one.done()
    assert wake(hooked, failpoint="pggit.commit_changes") == 1
    one.result(10)


def test_a_session_can_wait_in_a_fault_that_it_has_not_committed_yet(hooked, sessions):
    victim, run = sessions()
    victim.execute("BEGIN")
    arm(victim, "session")
    running = run(COMMIT)
    assert triggered(hooked)
    assert wake(hooked, disarm=True) == 1
    running.result(10)
    victim.execute(COMMIT)
    victim.execute("COMMIT")
    assert commits(hooked) == 2


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_with_an_old_snapshot_stops_and_goes_on(hooked, sessions, level):
    victim, run = sessions()
    victim.execute(f"BEGIN ISOLATION LEVEL {level}")
    victim.execute("SELECT count(*) FROM pggit.commits")
    arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    assert wake(hooked, disarm=True) == 1
    running.result(10)
    victim.execute("COMMIT")
    assert commits(hooked) == 1


def test_disarm_releases_who_waits(hooked, sessions):
    _, run = sessions()
    fault_id = arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
    running.result(10)


def test_a_wait_ends_by_itself_when_the_fault_expires(hooked, sessions):
    _, run = sessions()
    arm(hooked, expires="50 milliseconds")
    run(COMMIT).result(10)
    assert commits(hooked) == 1


def test_a_waiting_session_can_be_cancelled(hooked, sessions):
    victim, run = sessions()
    arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    hooked.execute("SELECT pg_cancel_backend(%s)", [victim.info.backend_pid])
    with pytest.raises(errors.QueryCanceled):
        running.result(10)
    assert wake(hooked) == 0


def test_a_waiting_session_obeys_its_statement_timeout(hooked, sessions):
    victim, run = sessions()
    arm(hooked)
    victim.execute("SET statement_timeout = '100ms'")
    with pytest.raises(errors.QueryCanceled):
        run(COMMIT).result(10)


def test_a_waiting_session_that_is_terminated_leaves_nothing(hooked, sessions):
    victim, run = sessions()
    arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    hooked.execute("SELECT pg_terminate_backend(%s, 10000)", [victim.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        running.result(10)
    assert wake(hooked) == 0
    assert commits(hooked) == 0


def test_no_lock_stays_behind_a_wait(hooked, sessions):
    victim, run = sessions()
    victim.execute("BEGIN")
    arm(hooked)
    running = run(COMMIT)
    assert triggered(hooked)
    wake(hooked, disarm=True)
    running.result(10)
    assert victim.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    ).fetchone() == (0,)


def test_waking_where_nobody_waits_wakes_nobody(hooked):
    arm(hooked)
    assert wake(hooked) == 0


def test_waiting_for_hits_that_do_not_come_ends_in_time(hooked):
    arm(hooked, term="off")
    assert triggered(hooked, timeout="20 milliseconds") is False
    hooked.execute(COMMIT)
    assert triggered(hooked) is True
    assert triggered(hooked, 2, timeout="20 milliseconds") is False


@pytest.mark.parametrize("call", ["wake(NULL)", "wake('*', NULL)", "wait_triggered(NULL)"])
def test_null_is_refused(hooked, call):
    with pytest.raises(errors.NullValueNotAllowed):
        hooked.execute(f"SELECT pggit_chaos.{call}")


@pytest.mark.parametrize("call", ["wake('nothing')", "wait_triggered('nothing')"])
def test_an_unknown_failpoint_is_refused(hooked, call):
    with pytest.raises(errors.UndefinedObject):
        hooked.execute(f"SELECT pggit_chaos.{call}")
