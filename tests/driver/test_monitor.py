"""Locks, waits, open transactions and deadlocks, as they are and not as they were."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.deadlock import DeadlockSetup
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]

LOCK_MAIN = "SELECT FROM pggit.branches WHERE name = 'main' FOR UPDATE"


@pytest.fixture
def monitor(conn: Connection) -> TransactionMonitor:
    return TransactionMonitor(conn)


@pytest.fixture
def other(cluster: Cluster, database: str) -> Iterator[Connection]:
    with cluster.connect(database) as connection:
        yield connection


def test_a_quiet_database_has_nothing_to_tell(monitor: TransactionMonitor) -> None:
    assert monitor.locks() == []
    assert monitor.blocked() == []
    assert monitor.open_transactions() == []
    assert monitor.deadlocks() == 0


def test_a_lock_on_a_table_is_seen(monitor: TransactionMonitor, other: Connection) -> None:
    other.execute("LOCK TABLE pggit.commits IN SHARE MODE")
    (lock,) = [lock for lock in monitor.locks() if lock.mode == "ShareLock"]
    assert (lock.pid, lock.kind, lock.relation, lock.granted) == (
        other.info.backend_pid,
        "relation",
        "pggit.commits",
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "key"), [("42", "42"), ("5000000000", "5000000000"), ("7, 8", "7, 8")]
)
def test_an_advisory_lock_is_seen_by_its_key(
    monitor: TransactionMonitor, other: Connection, arguments: str, key: str
) -> None:
    other.execute(f"SELECT pg_advisory_lock({arguments})".encode())
    other.commit()
    (lock,) = monitor.session_locks()
    assert (lock.kind, lock.key, lock.pid) == ("advisory", key, other.info.backend_pid)


def test_the_lock_of_a_transaction_is_not_one_of_the_session(
    monitor: TransactionMonitor, other: Connection
) -> None:
    other.execute("SELECT pg_advisory_xact_lock(42)")
    assert monitor.session_locks() == []
    assert [lock.key for lock in monitor.locks() if lock.kind == "advisory"] == ["42"]


def test_who_waits_for_whom_is_seen(
    cluster: Cluster, database: str, monitor: TransactionMonitor, other: Connection
) -> None:
    other.execute(LOCK_MAIN)
    with cluster.connect(database) as waiting, ThreadPoolExecutor(1) as pool:
        commit = pool.submit(Target(waiting).commit, "main", "waits")
        monitor.wait_until_blocked(waiting.info.backend_pid)
        (blocked,) = monitor.blocked()
        assert blocked.pid == waiting.info.backend_pid
        assert blocked.blocked_by == [other.info.backend_pid]
        assert "commit_changes" in blocked.query
        assert blocked.waited >= timedelta(0)
        other.rollback()
        commit.result()
    assert monitor.blocked() == []


def test_waiting_for_a_wait_that_does_not_come_ends(
    monitor: TransactionMonitor, other: Connection
) -> None:
    pid = other.info.backend_pid
    with pytest.raises(TimeoutError):
        monitor.wait_until_blocked(pid, timeout=timedelta(milliseconds=20))
    with pytest.raises(TimeoutError):
        monitor.wait_until_blocked(pid, timeout=timedelta(days=1), unless=lambda: True)


def test_a_long_transaction_is_seen_and_a_short_one_is_not(
    monitor: TransactionMonitor, other: Connection
) -> None:
    other.execute("SELECT")
    (transaction,) = monitor.open_transactions()
    assert (transaction.pid, transaction.state) == (other.info.backend_pid, "idle in transaction")
    assert monitor.open_transactions(older_than=timedelta(hours=1)) == []
    other.rollback()
    assert monitor.open_transactions() == []


def test_another_database_is_nobodys_business(
    cluster: Cluster, monitor: TransactionMonitor
) -> None:
    with cluster.connect("postgres") as elsewhere:
        elsewhere.execute("LOCK TABLE pg_catalog.pg_database IN SHARE MODE")
        assert monitor.open_transactions() == []
        assert monitor.locks(elsewhere.info.backend_pid) == []


def test_deadlocks_are_counted(
    cluster: Cluster, database: str, monitor: TransactionMonitor, other: Connection
) -> None:
    other.execute("CREATE TABLE public.pair AS SELECT generate_series(1, 2) AS id")
    other.commit()
    setup = DeadlockSetup(lambda: cluster.connect(database))
    with setup.deadlock(
        lambda conn: conn.execute("SELECT FROM pair WHERE id = 1 FOR UPDATE"),
        lambda conn: conn.execute("SELECT FROM pair WHERE id = 2 FOR UPDATE"),
    ) as deadlock:
        # What a session counted is everybody's when its next transaction is over.
        deadlock.loser.execute("SELECT pg_stat_force_next_flush()")
        deadlock.loser.commit()
        assert monitor.deadlocks() == 1
