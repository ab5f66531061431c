"""Copies that are made before a test asks for them, and drops that no test waits for.

Both are the work of a throwaway server, 50 ms for each test.  Done beside the
tests they cost no time where there is a second processor.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster

__all__ = ["Housekeeper"]

Work = Callable[["psycopg.Connection[Any]", str], None]


class Housekeeper:
    """One thread with a connection of its own to a server that tests may crash.

    It never starts the server, and what it could not do is left to whoever needs it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pggit_chaos")
        self._copies: dict[str, Future[str | None]] = {}  # by what they are copies of
        self._to_drop: list[str] = []
        self._conn: psycopg.Connection[Any] | None = None

    def copy(self, template: str, name: str, create: Work) -> None:
        """Have a copy of a template made, for whoever takes it."""
        self._copies[template] = self._thread.submit(self._copy, name, create)

    def take(self, template: str) -> str | None:
        """Return the name of a copy that was made ahead; None where there is none."""
        copy = self._copies.pop(template, None)
        return None if copy is None else copy.result()

    def drop(self, name: str, drop: Work) -> None:
        """Have a database dropped."""
        self._thread.submit(self._drop, name, drop)

    def close(self) -> None:
        """End what is under way, and leave the rest."""
        self._thread.shutdown(cancel_futures=True)
        if self._conn is not None:
            self._conn.close()

    # -- in the thread ---------------------------------------------------

    def _copy(self, name: str, create: Work) -> str | None:
        return name if self._do(create, name) else None

    def _drop(self, name: str, drop: Work) -> None:
        self._to_drop.append(name)
        self._to_drop = [each for each in self._to_drop if not self._do(drop, each)]

    def _do(self, work: Work, name: str) -> bool:
        import psycopg

        try:
            if self._conn is None or self._conn.closed:
                self._conn = self._cluster.connect(autocommit=True)
            work(self._conn, name)
        except psycopg.Error:  # a test has crashed the server
            return False
        return True
