"""What sessions that arm, wait, sweep and clean at the same time do to each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors, sql

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"
BEFORE = "pggit.commits.insert.before"


@pytest.fixture
def other(cluster, database, hooked):
    with cluster.connect(
        database, autocommit=True, options="-c statement_timeout=15s"
    ) as connection:
        yield connection


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as executor:
        yield executor


def arm(conn, failpoint=BEFORE, term="off", scope="session", **options):
    names = "".join(f", {name} => %({name})s" for name in options)
    return conn.execute(
        f"SELECT pggit_chaos.arm(%(failpoint)s, %(term)s, %(scope)s{names})",
        {"failpoint": failpoint, "term": term, "scope": scope, **options},
    ).fetchone()[0]


def until_blocked(conn, pid, running):
    query = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
    while not running.done() and conn.execute(query, [pid]).fetchone() != (True,):
        pass


def test_nobody_waits_for_a_fault_that_an_open_transaction_arms(hooked, other):
    with hooked.transaction():
        arm(hooked)
        for _ in range(70):  # past the slot that looks free
            other.execute("SELECT pggit_chaos.disarm(%s)", [arm(other)])


def test_nobody_waits_for_a_fault_that_an_open_transaction_disarms(hooked, other):
    fault_id = arm(hooked)
    with hooked.transaction():
        hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
        other.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
        other.execute("SELECT pggit_chaos.disarm_all()")


def test_two_sessions_sweep_at_once(hooked, other, pool):
    hooked.execute("SELECT pggit.create_branch('one'); SELECT pggit.create_branch('two')")
    hooked.execute("COMMIT")
    sweeps = [
        pool.submit(
            conn.execute,
            "SELECT outcome FROM pggit_chaos.sweep(%s, every_hit => true)",
            [f"SELECT pggit.commit_changes('{branch}', 'm')"],
        )
        for conn, branch in ((hooked, "one"), (other, "two"))
    ]
    for sweep in sweeps:
        assert {outcome for (outcome,) in sweep.result(60).fetchall()} <= {"surfaced", "tolerated"}


def test_no_wake_is_lost_however_soon_it_comes(hooked, other, pool):
    arm(hooked, "pggit.generate_trinity_id()", "wait", "database")
    for hits in range(1, 51):
        running = pool.submit(other.execute, "SELECT pggit.generate_trinity_id()")
        hooked.execute(
            "SELECT pggit_chaos.wait_triggered('pggit.generate_trinity_id()', %s)", [hits]
        )
        assert hooked.execute(
            "SELECT pggit_chaos.wake('pggit.generate_trinity_id()')"
        ).fetchone() == (1,)
        running.result(15)


def test_a_fault_that_is_disarmed_while_the_one_before_it_waits_does_not_strike(
    hooked, other, pool
):
    arm(hooked, BEFORE, "wait", "database")
    later = arm(hooked, "pggit.commits.insert.*", "error", "database")
    running = pool.submit(other.execute, COMMIT)
    assert hooked.execute("SELECT pggit_chaos.wait_triggered(%s)", [BEFORE]).fetchone() == (True,)
    hooked.execute("SELECT pggit_chaos.disarm(%s)", [later])
    hooked.execute("SELECT pggit_chaos.wake(%s)", [BEFORE])
    running.result(15)


def test_a_session_is_woken_though_its_hooks_are_gone(hooked, other, pool):
    arm(hooked, "pggit.generate_trinity_id()", "wait", "database")
    running = pool.submit(other.execute, "SELECT pggit.generate_trinity_id()")
    hooked.execute("SELECT pggit_chaos.wait_triggered('pggit.generate_trinity_id()')")
    hooked.execute("SELECT pggit_chaos.uninstall_hooks()")
    assert hooked.execute("SELECT pggit_chaos.wake('pggit.generate_trinity_id()')").fetchone() == (
        1,
    )
    running.result(15)


def test_a_shared_fault_whose_row_was_forgotten_is_disarmed_too(hooked):
    arm(hooked, scope="database")
    hooked.execute("UPDATE pggit_chaos._fault SET expires_at = clock_timestamp()")
    arm(hooked)  # forgets what is over
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    assert hooked.execute("SELECT pggit_chaos._armed() IS TRUE").fetchone() == (False,)


def test_a_copy_of_the_database_strikes_nothing(cluster, database, hooked):
    arm(hooked, "*", "error", "database")
    hooked.close()
    clone = cluster.create_database(f"{database}_copy", template=database)
    try:
        with cluster.connect(clone, autocommit=True) as conn:
            conn.execute(COMMIT)
            assert conn.execute("SELECT state FROM pggit_chaos.fault").fetchall() == [("expired",)]
            conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")
            assert conn.execute("SELECT pggit_chaos._armed() IS TRUE").fetchone() == (False,)
    finally:
        cluster.drop_database(clone)


def test_a_session_that_began_later_can_be_armed_for(cluster, database, hooked):
    with hooked.transaction():
        arm(hooked)  # has looked at the sessions
        with cluster.connect(database, autocommit=True) as late:
            assert arm(hooked, scope=f"pid:{late.info.backend_pid}")


@pytest.mark.parametrize("call", ["install_hooks()", "disarm_all(everything => true)"])
def test_two_sessions_hook_and_unhook_at_once(conn, cluster, database, pool, call):
    if call != "install_hooks()":
        conn.execute("SELECT pggit_chaos.install_hooks()")
    with cluster.connect(database, autocommit=True) as second:
        with conn.transaction():
            conn.execute(f"SELECT pggit_chaos.{call}")
            running = pool.submit(second.execute, f"SELECT pggit_chaos.{call}")
            until_blocked(conn, second.info.backend_pid, running)
        running.result(15)
    problems = conn.execute("SELECT problem FROM pggit_chaos.hooks_intact()").fetchall()
    assert problems == ([] if call == "install_hooks()" else [("no hooks are installed",)])


@pytest.mark.parametrize("call", ["trace(%s)", "sweep(%s, '{40001}')"])
def test_nobody_draws_a_number_twice_around_a_sweep(cluster, database, hooked, other, pool, call):
    """One session sweeps what waits for a lock; another draws numbers meanwhile."""
    statement = "SELECT pggit.generate_trinity_id(), pg_advisory_xact_lock(4711)"
    draw = "SELECT nextval('pggit.commits_id_seq')"
    with cluster.connect(database, autocommit=True) as keeper:
        keeper.execute("SELECT pg_advisory_lock(4711)")
        sweep = pool.submit(hooked.execute, f"SELECT * FROM pggit_chaos.{call}", [statement])
        until_blocked(keeper, hooked.info.backend_pid, sweep)
        drawing = pool.submit(other.execute, draw)
        until_blocked(keeper, other.info.backend_pid, drawing)
    sweep.result(15)
    first = drawing.result(15).fetchone()
    assert other.execute(draw).fetchone() > first


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("trace('SELECT pggit.generate_trinity_id(), pg_sleep(60)')", "57014"),
        ("sweep('SELECT pggit.generate_trinity_id(), pg_sleep(60)')", "57014"),
        ("trace('SELECT pggit.generate_trinity_id(), 1 / 0')", "PC007"),
        ("sweep('SELECT pggit.generate_trinity_id(), 1 / 0')", "PC007"),
    ],
)
def test_a_sweep_that_ends_early_leaves_nothing(hooked, call, sqlstate):
    query = """
        SELECT pggit_chaos.state_digest(), current_setting('pggit_chaos.armed', true),
               (SELECT count(*) FROM pg_prepared_statements WHERE name ~ 'pggit_chaos'),
               (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
               (SELECT count(*) FROM pggit_chaos.fault)
    """
    hooked.execute("SET pggit_chaos.armed = 'off'")
    before = hooked.execute(query).fetchone()
    if sqlstate == "57014":
        hooked.execute("SET statement_timeout = '300ms'")
    statement = "SELECT pg_advisory_lock(1), " + call.split("SELECT ", 1)[1].rsplit("'", 1)[0]
    with pytest.raises(psycopg.DatabaseError) as end:
        hooked.execute(f"SELECT * FROM pggit_chaos.{call.split('(', 1)[0]}(%s)", [statement])
    assert end.value.sqlstate == sqlstate
    hooked.execute("SET statement_timeout = 0")
    assert hooked.execute(query).fetchone() == before


def test_a_hold_is_listed_in_the_transaction_that_asked_for_it(conn):
    conn.execute("CREATE EXTENSION dblink")
    with conn.transaction(force_rollback=True):
        for number in range(3):
            hold = "SELECT pggit_chaos.hold_lock('advisory ' || %s)"
            hold_id = conn.execute(hold, [number]).fetchone()[0]
            listed = conn.execute("SELECT hold_id FROM pggit_chaos.lock_hold").fetchall()
            assert (hold_id,) in listed
    conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")


def test_a_lock_is_held_whatever_database_and_role_are_called(cluster, conn, database):
    odd = f"{database} it's \\ 'user=nobody"
    name = sql.Identifier(odd[:60])
    conn.execute("CREATE EXTENSION dblink")
    conn.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(name))
    conn.close()
    cluster.create_database(odd[:60], template=database)
    try:
        with cluster.connect(odd[:60], user=odd[:60], autocommit=True) as owner:
            owner.execute(sql.SQL("ALTER DATABASE {} SET pggit_chaos.enabled = on").format(name))
            hold = "SELECT pggit_chaos.hold_lock('pggit.commits')"
            hold_id = owner.execute(hold).fetchone()[0]
            with cluster.connect(odd[:60], autocommit=True) as victim:
                victim.execute("SET lock_timeout = '10ms'")
                with pytest.raises(errors.LockNotAvailable):
                    victim.execute("SELECT FROM pggit.commits")
            owner.execute("SELECT pggit_chaos.release_lock(%s)", [hold_id])
    finally:
        cluster.drop_database(odd[:60])
        with cluster.connect(autocommit=True) as admin:
            admin.execute(sql.SQL("DROP ROLE {}").format(name))
