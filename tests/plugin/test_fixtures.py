"""The fixtures: every one by its name, over a pristine database of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pggit_chaos.cluster import Cluster

pytestmark = pytest.mark.one_version

Run = Callable[..., pytest.RunResult]

EVERY_FIXTURE = """
import psycopg
import pytest

pytestmark = pytest.mark.chaos


def test_connections(sync_conn, chaos_connect, chaos_database):
    assert not sync_conn.autocommit
    with psycopg.connect(chaos_database) as other:
        assert other.info.dbname == sync_conn.info.dbname == chaos_connect().info.dbname
    assert chaos_connect(autocommit=True, application_name="me").autocommit


def test_places(sync_conn, isolated_schema, temp_table):
    sync_conn.execute("CREATE TABLE t (i integer)")
    name = sync_conn.execute("SELECT relnamespace::regnamespace::text FROM pg_class"
                             " WHERE oid = 't'::regclass").fetchone()
    assert name == (isolated_schema,)
    sync_conn.rollback()
    sync_conn.execute(f"SELECT id, data FROM {temp_table}")


async def test_async(async_conn, async_isolated_schema, async_temp_table, async_conn_pool):
    row = await (await async_conn.execute("SELECT current_schema()")).fetchone()
    assert row == (async_isolated_schema,)
    await async_conn.execute(f"SELECT id, data FROM {async_temp_table}")
    async with async_conn_pool.connection() as conn:
        await conn.execute("SELECT")


@pytest.mark.parametrize("conn_pool", [2], indirect=True)
def test_pool(conn_pool):
    with conn_pool.connection() as one, conn_pool.connection() as two:
        assert one.info.backend_pid != two.info.backend_pid
    assert conn_pool.max_size == 2


def test_chaos(pggit, chaos):
    with chaos.fault("pggit.commits.insert.after", "error(40001)") as fault:
        with pytest.raises(psycopg.errors.SerializationFailure):
            pggit.commit("main", "a message")
    assert fault.fired == 1


def test_lock_holds_need_no_connection(chaos, sync_conn):
    with chaos.lock("pggit.commits"):
        sync_conn.execute("SET lock_timeout = 10")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sync_conn.execute("SELECT FROM pggit.commits")


def test_hooks_are_in_only_for_chaos(sync_conn):
    assert sync_conn.execute("SELECT count(*) FROM pggit_chaos.failpoint").fetchone() == (0,)


def test_hooks_are_in_however_chaos_is_asked_for(sync_conn, request):
    request.getfixturevalue("chaos")
    count = sync_conn.execute("SELECT count(*) > 0 FROM pggit_chaos.failpoint").fetchone()
    assert count == (True,)


def test_tools(chaos_injector, transaction_monitor, load_generator, deadlock_setup):
    assert transaction_monitor.blocked() == []


def test_crash(chaos_cluster, pggit):
    pggit.commit("main", "before")
    chaos_cluster.crash()


def test_after_a_crash(pggit):
    pggit.commit("main", "after")


def test_a_cluster_of_its_own(fresh_cluster, chaos_cluster):
    cluster = fresh_cluster(settings={"work_mem": "1MB"})
    with cluster.connect("pggit") as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("1MB",)
        assert conn.execute("SELECT count(*) > 0 FROM pggit_chaos.failpoint").fetchone() == (True,)
    assert cluster.directory != chaos_cluster.directory
"""


def test_every_fixture_is_there_and_does_its_work(chaos_run: Run) -> None:
    chaos_run(EVERY_FIXTURE).assert_outcomes(passed=12)


@pytest.fixture
def pggit_dsn(cluster: Cluster, database: str) -> str:
    """The DSN of a database with pgGit that nobody is connected to."""
    return cluster.dsn(database)


CHANGES = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_each_begins_anew(pggit, number):
    rows = pggit.conn.execute("SELECT count(*) FROM pggit.commits").fetchone()
    assert rows == (0,)
    pggit.commit("main", "a message")

@pytest.mark.rolled_back
@pytest.mark.parametrize("number", range(2))
def test_what_is_rolled_back_begins_anew_too(pggit, number):
    test_each_begins_anew(pggit, number)

def test_busy_sessions_are_ended(chaos_connect):
    conn = chaos_connect()
    conn.pgconn.send_query(b"SELECT pg_sleep(1000)")

def test_needs_a_server(chaos_cluster):
    pass

@pytest.mark.destructive
def test_destroys():
    pass
"""


def _databases(cluster: Cluster) -> list[str]:
    with cluster.connect() as conn:
        rows = conn.execute(r"SELECT datname FROM pg_database WHERE datname LIKE 'pggit\_chaos\_%'")
        return [row[0] for row in rows]


@pytest.mark.parametrize("jobs", [(), ("-n", "2")], ids=["alone", "with-xdist"])
def test_a_named_database_is_copied_and_never_written_to(
    chaos_run: Run, cluster: Cluster, pggit_dsn: str, database: str, jobs: tuple[str, ...]
) -> None:
    written = "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database"
    with cluster.connect() as conn:
        before = conn.execute(f"{written} WHERE datname = %s", (database,)).fetchone()
        conn.rollback()
        result = chaos_run(CHANGES, f"--chaos-dsn={pggit_dsn}", *jobs)
        after = conn.execute(f"{written} WHERE datname = %s", (database,)).fetchone()
    result.assert_outcomes(passed=6, skipped=2)
    assert before is not None
    assert after is not None
    assert after[1] == before[1]
    assert _databases(cluster) == []


def test_what_a_killed_session_left_is_removed_by_the_next(
    chaos_run: Run, cluster: Cluster, pggit_dsn: str
) -> None:
    cluster.create_database("pggit_chaos_00c0ffee_1")
    chaos_run("def test(pggit): pass", f"--chaos-dsn={pggit_dsn}").assert_outcomes(passed=1)
    assert _databases(cluster) == []


ROLLED_BACK = """
import psycopg
import pytest
from psycopg.rows import dict_row

pytestmark = pytest.mark.rolled_back
SEEN = []


def test_its_connections_are_one(pggit, sync_conn, chaos_connect, chaos_injector):
    assert pggit.conn is sync_conn is chaos_connect(autocommit=True, application_name="me")
    before = chaos_injector.snapshot()
    pggit.commit("main", "a message")
    assert before.changes(chaos_injector.snapshot())
    SEEN.append((sync_conn.info.dbname, sync_conn.info.backend_pid))


@pytest.mark.parametrize("number", range(2))
def test_nothing_is_left_of_the_one_before(pggit, number):
    assert pggit.conn.execute("SELECT count(*) FROM pggit.commits").fetchone() == (0,)
    assert SEEN in ([], [(pggit.conn.info.dbname, pggit.conn.info.backend_pid)])
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert pggit.conn.execute(locks).fetchone() == (0,)
    pggit.conn.execute("SET search_path = nowhere; SELECT pg_advisory_lock(1)")
    pggit.conn.execute("PREPARE mine AS SELECT 1")
    pggit.conn.row_factory = dict_row
    pggit.conn.cursor_factory = psycopg.ClientCursor
    pggit.commit("main", "a message")


def test_a_fault_strikes(pggit, chaos):
    with chaos.fault("pggit.commits.insert.after", "error(40001)") as fault:
        with pytest.raises(psycopg.errors.SerializationFailure), pggit.conn.transaction():
            pggit.commit("main", "a message")
    assert fault.fired == 1


@pytest.mark.xfail(strict=True, reason="what COMMIT would fail for comes at the end of the test")
def test_what_waits_for_commit_comes(pggit):
    pggit.conn.execute("CREATE TABLE one (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    pggit.conn.execute("INSERT INTO one VALUES (1), (1)")


def test_it_may_end_in_an_error(pggit):
    with pytest.raises(psycopg.errors.DivisionByZero):
        pggit.conn.execute("SELECT 1/0")


def test_it_cannot_commit(sync_conn):
    with pytest.raises(psycopg.ProgrammingError):
        sync_conn.commit()


def test_it_may_lose_its_session(sync_conn):
    with pytest.raises(psycopg.OperationalError):
        sync_conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_the_next_one_has_a_new_one(pggit):
    pggit.commit("main", "a message")
"""


def test_tests_that_are_rolled_back_share_a_database(chaos_run: Run) -> None:
    chaos_run(ROLLED_BACK).assert_outcomes(passed=8, xfailed=1)


ENDED = """
import pytest
from psycopg.rows import dict_row

pytestmark = pytest.mark.rolled_back

def test_that_commits(pggit):
    pggit.commit("main", "a message")
    pggit.conn.execute("COMMIT")

def test_after_it(pggit):
    assert pggit.conn.execute("SELECT count(*) FROM pggit.commits").fetchone() == (0,)

def test_that_leaves_damage(pggit):
    pggit.commit("main", "a message")
    pggit.conn.execute("UPDATE pggit.branches SET status = NULL WHERE name = 'main'")

def test_that_fails(pggit, chaos):
    pggit.conn.row_factory = dict_row
    chaos.conn.execute("SELECT pggit_chaos.arm('pggit.commits.insert.after', 'error')")
    with pggit.conn.transaction():
        pggit.create_branch("")
"""


def test_a_test_that_is_not_rolled_back_fails_and_spoils_no_other(chaos_run: Run) -> None:
    result = chaos_run(ENDED)
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*has ended its transaction by itself*",
            "*branch_status_missing*",
            "*InvalidName*",
            "armed still:",
            "*pggit.commits.insert.after error (session, *): hit 0, fired 0",
        ]
    )


def test_a_test_that_is_rolled_back_takes_no_other_connections(chaos_run: Run) -> None:
    names = ("async_conn", "async_conn_pool", "conn_pool", "deadlock_setup", "load_generator")
    tests = [f"@pytest.mark.rolled_back\ndef test_{name}({name}): pass" for name in names]
    result = chaos_run("\n".join(["import pytest", *tests]))
    result.assert_outcomes(errors=len(names))
    result.stdout.fnmatch_lines([f"*has one connection: {name} takes others*" for name in names])
