"""What sessions of a database do to each other: locks, waits, long transactions, deadlocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.rows import class_row, scalar_row

if TYPE_CHECKING:
    import psycopg

__all__ = ["Blocked", "Lock", "OpenTransaction", "TransactionMonitor"]

Row = TypeVar("Row")

_POLL = 0.005  # seconds

# A lock on a relation of another database has an oid that means nothing here,
# and transaction ids are of no database.
_LOCKS = """
SELECT l.pid, l.locktype AS kind,
       CASE WHEN l.relation IS NOT NULL THEN l.relation::regclass::text END AS relation,
       CASE l.locktype
            WHEN 'advisory' THEN concat_ws(', ', CASE l.objsubid WHEN 2 THEN l.classid::bigint END,
                CASE l.objsubid WHEN 2 THEN l.objid::bigint
                     ELSE l.classid::bigint << 32 | l.objid::bigint END)
            WHEN 'transactionid' THEN l.transactionid::text END AS key,
       l.mode, l.granted
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE a.datname = pg_catalog.current_database()
   AND l.pid <> pg_catalog.pg_backend_pid()
   AND (l.database = a.datid OR l.locktype IN ('transactionid', 'virtualxid'))
   AND (%(pid)s::integer IS NULL OR l.pid = %(pid)s)
 ORDER BY l.pid, l.locktype, relation, key, l.mode
"""
_BLOCKED = """
SELECT a.pid, pg_catalog.pg_blocking_pids(a.pid) AS blocked_by, a.wait_event AS waits_for,
       COALESCE(pg_catalog.clock_timestamp() - l.waitstart, interval '0') AS waited, a.query
  FROM pg_catalog.pg_stat_activity AS a
  LEFT JOIN pg_catalog.pg_locks AS l ON l.pid = a.pid AND NOT l.granted
 WHERE a.datname = pg_catalog.current_database()
   AND pg_catalog.cardinality(pg_catalog.pg_blocking_pids(a.pid)) > 0
 ORDER BY a.pid
"""
_OPEN = """
SELECT a.pid, a.state, pg_catalog.clock_timestamp() - a.xact_start AS age, a.query
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname = pg_catalog.current_database()
   AND a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND pg_catalog.clock_timestamp() - a.xact_start >= %(older_than)s
 ORDER BY a.xact_start
"""
_BLOCKERS = "SELECT pg_catalog.pg_blocking_pids(%(pid)s)"
_DEADLOCKS = """
SELECT d.deadlocks
  FROM (SELECT pg_catalog.pg_stat_clear_snapshot()) AS fresh,
       pg_catalog.pg_stat_database AS d
 WHERE d.datname = pg_catalog.current_database()
"""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock that a session holds, or waits for where it is not granted."""

    pid: int
    kind: str
    """As pg_locks has it: ``relation``, ``tuple``, ``transactionid``, ``advisory``, ..."""
    relation: str | None
    key: str | None
    """The key of an advisory lock, one number or two; the number of a transaction."""
    mode: str
    granted: bool


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A session that waits for others."""

    pid: int
    blocked_by: list[int]
    waits_for: str | None
    waited: timedelta
    query: str


@dataclass(frozen=True, kw_only=True)
class OpenTransaction:
    """A transaction that has begun and not ended."""

    pid: int
    state: str
    age: timedelta
    query: str


class TransactionMonitor:
    """Watches the other sessions of the database of ``conn``.

    Give it an autocommit connection of its own: within a transaction the
    statistics would not move.
    """

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn

    def locks(self, pid: int | None = None) -> list[Lock]:
        """Return the locks of the other sessions, or of one of them."""
        return self._rows(Lock, _LOCKS, pid=pid)

    def session_locks(self, pid: int | None = None) -> list[Lock]:
        """Return the locks that outlived their transaction: sessions that are idle hold them."""
        busy = {each.pid for each in self.open_transactions()}
        return [lock for lock in self.locks(pid) if lock.pid not in busy]

    def blocked(self) -> list[Blocked]:
        """Return who waits for whom."""
        return self._rows(Blocked, _BLOCKED)

    def blockers(self, pid: int) -> list[int]:
        """Return the sessions that a session waits for."""
        blockers: list[int] = self._scalar(_BLOCKERS, pid=pid)
        return blockers

    def wait_until_blocked(
        self,
        pid: int,
        *,
        timeout: timedelta = timedelta(seconds=10),
        unless: Callable[[], bool] = lambda: False,
    ) -> None:
        """Return when a session waits for another.

        Raises TimeoutError where it does not, or as soon as ``unless`` says that
        it never will.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        while not self.blockers(pid):
            if unless() or time.monotonic() > deadline:
                raise TimeoutError(f"session {pid} waited for nobody within {timeout}")
            time.sleep(_POLL)

    def open_transactions(self, older_than: timedelta = timedelta(0)) -> list[OpenTransaction]:
        """Return the transactions that have been open for so long, the oldest first."""
        return self._rows(OpenTransaction, _OPEN, older_than=older_than)

    def deadlocks(self) -> int:
        """Return how many deadlocks this database has had.

        A session tells of its own when it is idle, and at most once a second.
        """
        return int(self._scalar(_DEADLOCKS))

    def _rows(self, row: type[Row], query: str, **arguments: Any) -> list[Row]:
        with self.conn.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(query, arguments).fetchall()

    def _scalar(self, query: str, **arguments: Any) -> Any:
        with self.conn.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(query, arguments).fetchone()
