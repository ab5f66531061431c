"""Too many connections, too few, and those that come back: pgGit goes on with what there is."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.inspection import sound_findings
from pggit_chaos.load import LoadGenerator
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.retry import is_connection_lost, with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.resource]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

_GRANTS = (
    "GRANT USAGE ON SCHEMA pggit TO {}",
    "GRANT ALL ON ALL TABLES IN SCHEMA pggit TO {}",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA pggit TO {}",
)


@pytest.fixture
def member(pggit: Target) -> Iterator[str]:
    """A role that may use pgGit and has no privilege else: no slot is kept for it."""
    name = f"pggit_chaos_member_{secrets.token_hex(4)}"
    role = sql.Identifier(name)
    try:
        pggit.conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    except errors.InsufficientPrivilege as error:
        raise NotApplicableError("this role may not create roles") from error
    for grant in _GRANTS:
        pggit.conn.execute(sql.SQL(grant).format(role))
    yield name
    pggit.conn.execute(sql.SQL("DROP OWNED BY {}").format(role))
    pggit.conn.execute(sql.SQL("DROP ROLE {}").format(role))


def _limit(conn: Connection, role: str, connections: int) -> None:
    limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    conn.execute(limit.format(sql.Identifier(role), sql.Literal(connections)))


class TestNoMoreConnections:
    @pytest.mark.slow
    def test_those_who_are_in_go_on(
        self, pggit: Target, chaos_connect: Connect, member: str
    ) -> None:
        """Promise: a refused connection costs nobody who is connected anything."""
        _limit(pggit.conn, member, 2)
        inside = [chaos_connect(user=member) for _ in range(2)]
        for number, conn in enumerate(inside):
            Target(conn).commit(f"branch/{number}", "begun before it was full")
        with pytest.raises(psycopg.OperationalError) as refused:
            chaos_connect(user=member)
        assert is_connection_lost(refused.value)
        for conn in inside:
            conn.commit()
        records = Records(pggit.conn)
        assert sorted(commit.branch or "" for commit in records.commits()) == [
            "branch/0",
            "branch/1",
        ]

    def test_who_was_refused_gets_in_later_and_commits_once(
        self, pggit: Target, chaos_connect: Connect, member: str
    ) -> None:
        """Promise: a retry of what was refused at the door applies exactly once."""
        _limit(pggit.conn, member, 1)
        inside = chaos_connect(user=member)
        refusals = []

        def leave(error: BaseException) -> None:
            refusals.append(error)
            inside.close()

        def work() -> None:
            conn = chaos_connect(user=member, autocommit=True)
            Target(conn).commit("main", "at last")

        with_retry(work, 50, 0.01, before_retry=leave)
        assert refusals
        assert Records(pggit.conn).messages() == ["at last"]

    @pytest.mark.destructive
    def test_every_slot_of_the_server_is_taken(self, fresh_cluster: Callable[..., Cluster]) -> None:
        """Promise: a full server serves those who are in, and a superuser can still look."""
        cluster = fresh_cluster(
            settings={"max_connections": "10", "superuser_reserved_connections": "2"}
        )
        with cluster.connect("pggit", autocommit=True) as owner, ExitStack() as opened:
            owner.execute("CREATE ROLE member LOGIN")
            for grant in _GRANTS:
                owner.execute(sql.SQL(grant).format(sql.Identifier("member")))
            inside: list[Connection] = []

            def fill() -> None:
                while True:
                    conn = cluster.connect("pggit", user="member")
                    inside.append(opened.enter_context(conn))

            with pytest.raises(psycopg.OperationalError):
                fill()
            assert len(inside) >= 5
            for number, conn in enumerate(inside):
                Target(conn).commit("main", f"commit {number}")
                conn.commit()
            with cluster.connect("pggit") as superuser:
                records = Records(superuser)
                assert records.messages("main") == [f"commit {n}" for n in range(len(inside))]
            left = sound_findings(Chaos(owner))
            assert not left, f"after {len(inside)} commits on a full server: {left}"


class TestPool:
    @pytest.mark.slow
    @pytest.mark.parametrize("conn_pool", [2], indirect=True)
    def test_a_pool_that_is_empty_says_so_and_fills_again(
        self, pggit: Target, conn_pool: ConnectionPool[Connection]
    ) -> None:
        """Promise: who gets no connection has done nothing; the others are not disturbed."""
        with conn_pool.connection() as one, conn_pool.connection() as other:
            Target(one).commit("main", "one")
            Target(other).create_branch("other")
            with pytest.raises(PoolTimeout), conn_pool.connection(timeout=0.05):
                pytest.fail("a third connection out of two")
        with conn_pool.connection() as third:
            Target(third).commit("main", "third")
        records = Records(pggit.conn)
        assert records.messages("main") == ["one", "third"]
        assert "other" in records.branches()

    @pytest.mark.parametrize("conn_pool", [1], indirect=True)
    def test_a_connection_comes_back_clean(
        self,
        chaos: Chaos,
        conn_pool: ConnectionPool[Connection],
        transaction_monitor: TransactionMonitor,
    ) -> None:
        """Promise: who gets the connection after a failure does not notice that there was one."""
        with conn_pool.connection() as conn:
            pid = conn.info.backend_pid
        step = "pggit.commits.insert.after"
        with chaos.fault(step, "1*error(53200)", scope="database") as fault:
            with pytest.raises(psycopg.Error) as failed:
                _commit(conn_pool, "fails")
            assert fault.fired == 1
        assert isinstance(failed.value, errors.OutOfMemory), (
            f"memory ran out in a commit (53200), and the caller is told {failed.value.sqlstate}: "
            f"{failed.value}"
        )
        assert transaction_monitor.session_locks(pid) == []
        assert _commit(conn_pool, "succeeds") == pid
        assert Records(chaos.conn).messages() == ["succeeds"]

    @pytest.mark.slow
    def test_a_pool_whose_sessions_were_ended_recovers(
        self, pggit: Target, conn_pool: ConnectionPool[Connection]
    ) -> None:
        """Promise: what was committed before the sessions went stays, once."""
        with conn_pool.connection() as conn:
            Target(conn).commit("main", "before")
        ended = pggit.conn.execute(
            "SELECT count(pg_terminate_backend(a.pid, 10000)) FROM pg_stat_activity AS a"
            " WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
            " AND a.backend_type = 'client backend'"
        ).fetchone()
        assert ended is not None
        assert ended[0] >= 1

        with_retry(lambda: _commit(conn_pool, "after"), backoff=0)
        assert Records(pggit.conn).messages() == ["before", "after"]


def _commit(pool: ConnectionPool[Connection], message: str) -> int:
    """Commit over a connection of the pool; return which session that was."""
    with pool.connection() as conn:
        Target(conn).commit("main", message)
        return conn.info.backend_pid


class TestBlockedSessions:
    def test_a_session_that_idles_in_a_commit_can_be_waited_for_in_vain(
        self, pggit: Target, sync_conn: Connection
    ) -> None:
        """Promise: a commit heeds the lock_timeout of its caller.

        Failure: another session has written the branch and does not end.
        """
        sync_conn.execute("SELECT FROM pggit.branches WHERE name = 'main' FOR UPDATE")
        pggit.conn.execute("SET lock_timeout = '50ms'")
        pggit.conn.execute("SET statement_timeout = '10s'")
        with pytest.raises(psycopg.Error) as caught:
            pggit.commit("main", "cannot wait")
        assert caught.value.sqlstate == "55P03", (
            f"lock_timeout of 50 ms, and the commit ended with {caught.value.sqlstate}"
        )
        shown = pggit.conn.execute("SHOW lock_timeout").fetchone()
        assert shown == ("50ms",), f"the commit left lock_timeout at {shown}"
        sync_conn.rollback()
        pggit.commit("main", "need not wait")
        assert Records(pggit.conn).messages() == ["need not wait"]

    @pytest.mark.slow
    def test_a_session_that_idles_is_ended_and_the_next_goes_on(
        self, pggit: Target, sync_conn: Connection
    ) -> None:
        """Promise: what an idle transaction held is free once PostgreSQL has ended it."""
        Target(sync_conn).commit("main", "never ended")
        sync_conn.execute("SET idle_in_transaction_session_timeout = '50ms'")
        pggit.conn.execute("SET lock_timeout = '10s'")
        pggit.commit("main", "goes on")
        # Where no commit waits for another, the session is still there.
        deadline = time.monotonic() + 10
        query = "SELECT FROM pg_stat_activity, pg_sleep(0.01) WHERE pid = %s"
        while pggit.conn.execute(query, (sync_conn.info.backend_pid,)).fetchone() is not None:
            assert time.monotonic() < deadline, "PostgreSQL did not end it"
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            sync_conn.execute("SELECT")
        assert Records(pggit.conn).messages() == ["goes on"]

    @pytest.mark.slow
    def test_a_statement_that_takes_too_long_is_ended_whole(
        self, chaos: Chaos, pggit: Target, sync_conn: Connection
    ) -> None:
        """Promise: statement_timeout ends a commit like any statement, with 57014."""
        sync_conn.execute("SET statement_timeout = '500ms'")
        sync_conn.commit()
        with chaos.fault("pggit.commits.insert.after", "delay(60000)", scope="database") as fault:
            with pytest.raises(errors.QueryCanceled):
                Target(sync_conn).commit("main", "too slow")
            assert fault.fired == 1
        sync_conn.rollback()
        assert Records(pggit.conn).commits() == []


class TestFootprint:
    """A session that works for long keeps no more than one that has just begun."""

    TIMES = 8

    @pytest.mark.parametrize(
        "operation",
        cases(
            ["commit", "branch", "merge", "data branch", "DDL"],
            smoke=["commit", "branch", "merge"],
        ),
    )
    def test_nothing_piles_up_in_a_session(
        self, pggit: Target, transaction_monitor: TransactionMonitor, operation: str
    ) -> None:
        """Promise: no lock, temporary table or prepared statement outlives an operation."""
        pggit.conn.execute("CREATE TABLE public.base (id integer PRIMARY KEY)")
        pggit.conn.prepare_threshold = None
        for number in range(self.TIMES):
            _work(pggit, operation, number)
        locks = transaction_monitor.session_locks(pggit.conn.info.backend_pid)
        assert not locks, f"after {self.TIMES} times {operation} the session holds {locks}"
        for what, query in _LEFTOVERS.items():
            left = pggit.conn.execute(query.encode()).fetchall()
            assert not left, f"after {self.TIMES} times {operation} there are {what}: {left}"
        assert "public.base" in Records(pggit.conn).active()


_LEFTOVERS = {
    "temporary tables": "SELECT relname FROM pg_class WHERE relpersistence = 't'"
    " AND relkind IN ('r', 'v', 'm')",
    "prepared statements": "SELECT name FROM pg_prepared_statements",
    "open cursors": "SELECT name FROM pg_cursors WHERE is_holdable",
    "channels": "SELECT pg_listening_channels()",
}


def _work(target: Target, operation: str, number: int) -> None:
    branch = f"branch_{number}"
    match operation:
        case "commit":
            target.commit("main", str(number))
        case "branch":
            target.create_branch(branch)
        case "merge":
            target.create_branch(branch)
            target.switch_branch(branch)
            target.conn.execute(f"ALTER TABLE public.base ADD COLUMN c{number} text".encode())
            target.switch_branch("main")
            target.merge(branch)
        case "data branch":
            table = f"data_{number}"
            target.conn.execute(f"CREATE TABLE public.{table} (id integer PRIMARY KEY)".encode())
            target.create_data_branch(table, branch)
        case "DDL":
            target.conn.execute(f"CREATE TABLE public.t{number} (id integer)".encode())
            target.conn.execute(f"DROP TABLE public.t{number}".encode())


@pytest.mark.load
class TestManyConnections:
    @pytest.mark.slow
    def test_a_hundred_connections_commit_at_once(
        self, pggit: Target, load_generator: LoadGenerator
    ) -> None:
        """Promise: a hundred sessions that commit to one branch make one line of a hundred."""
        report = load_generator.run(
            lambda conn, number: Target(conn).commit("main", f"commit {number}"),
            workers=100,
            count=1,
        )
        assert report.outcomes == {"00000": 100}, f"outcomes: {report.outcomes}"
        records = Records(pggit.conn)
        commits = records.commits("main")
        assert len({commit.message for commit in commits}) == 100
        parents = [commit.parent for commit in commits]
        assert parents == [None, *(commit.hash for commit in commits[:-1])], (
            "a hundred commits are not one line: each has the former head as its parent"
        )

    def test_connections_that_come_and_go_lose_nothing(
        self, pggit: Target, chaos_connect: Connect
    ) -> None:
        """Promise: a commit of a session that lives for a moment is as good as any other."""
        barrier = Barrier(8)

        def worker(worker_id: int) -> None:
            barrier.wait(30)
            for number in range(4):
                with chaos_connect() as conn:
                    Target(conn).commit(f"worker/{worker_id}", f"{worker_id}.{number}")

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(worker, worker_id) for worker_id in range(8)]:
                done.result(timedelta(seconds=60).total_seconds())
        records = Records(pggit.conn)
        for worker_id in range(8):
            expected = [f"{worker_id}.{number}" for number in range(4)]
            assert records.messages(f"worker/{worker_id}") == expected
