"""A database that many tests share, one after the other: each is rolled back.

It spares a test the copy, and a session that has to read and plan everything anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import psycopg

__all__ = ["SharedDatabase"]

# What was rolled back stays in the files, and is read over by everybody who comes later.
GROWTH: Final = 1.5
_SIZE = """
SELECT sum(pg_relation_size(c.oid))::bigint
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname IN ('pg_catalog', 'pggit')
"""


class SharedDatabase:
    """One database, and the one connection to it."""

    def __init__(self, conninfo: str) -> None:
        import psycopg

        self.conninfo = conninfo
        self._conn = psycopg.connect(conninfo, autocommit=True)
        self._put_back()
        self._committed = False
        self._size = self._measure()

    @property
    def spoilt(self) -> bool:
        """Whether a test ended its transaction, its session or the server, or it became large."""
        import psycopg

        try:
            grown = self._measure() > GROWTH * self._size
        except psycopg.OperationalError:
            return True
        return self._committed or grown

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield the connection, in a transaction that is rolled back."""
        from psycopg.pq import TransactionStatus

        with self._conn.transaction(force_rollback=True):
            yield self._conn
            self._committed = self._conn.info.transaction_status == TransactionStatus.IDLE
        if not self._conn.closed:
            self._put_back()

    def close(self) -> None:
        """End the connection."""
        self._conn.close()

    def _put_back(self) -> None:
        """Make of the connection what a test expects of one: not all is rolled back."""
        import psycopg
        from psycopg.rows import tuple_row

        self._conn.row_factory = tuple_row
        self._conn.cursor_factory = psycopg.Cursor
        # The tables of one test are not those of the next, whatever their names.
        self._conn.prepare_threshold = None
        # DISCARD ALL would forget the plans, too, for which the session is shared.
        self._conn.execute("SELECT pg_advisory_unlock_all()")
        self._conn.execute("DEALLOCATE ALL")

    def _measure(self) -> int:
        """Return the size of the catalogue and of pgGit's tables, in bytes."""
        row = self._conn.execute(_SIZE).fetchone()
        assert row is not None
        return int(row[0])
