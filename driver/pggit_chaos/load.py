"""Load: many sessions that do something as often as they can, and what came of it."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import psycopg

from pggit_chaos.errors import UsageError
from pggit_chaos.retry import is_connection_lost, with_retry

if TYPE_CHECKING:
    Connect = Callable[[], psycopg.Connection[Any]]
    Work = Callable[[psycopg.Connection[Any], int], object]

__all__ = ["SUCCESS", "LoadGenerator", "LoadReport"]

SUCCESS = "00000"
LOST = "08006"  # for what was lost before the server could say anything


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What came of a load."""

    workers: int
    outcomes: Counter[str]
    """How often each SQLSTATE came; ``00000`` is success, ``08006`` a lost connection."""
    elapsed: timedelta
    slowest: timedelta
    errors: list[psycopg.Error] = field(default_factory=list)
    """The first of each SQLSTATE."""

    @property
    def attempts(self) -> int:
        """How often the work was begun."""
        return self.outcomes.total()

    @property
    def succeeded(self) -> int:
        """How often it came to its end."""
        return self.outcomes[SUCCESS]

    @property
    def throughput(self) -> float:
        """How often a second it came to its end."""
        return self.succeeded / self.elapsed.total_seconds()


class LoadGenerator:
    """Puts load on a database, by connections that ``connect`` makes."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def run(
        self,
        work: Work,
        *,
        workers: int = 4,
        count: int | None = None,
        duration: timedelta | None = None,
    ) -> LoadReport:
        """Let each worker do the work ``count`` times, or as often as it can for a duration.

        The work is called with the worker's own connection and with a number that
        no other call gets, and is then committed.  Where that raises a
        psycopg.Error, it is counted and rolled back, and the connection is replaced
        where it was lost; any other error ends the load.  All begin at the same
        moment, connected.
        """
        if (count is None) == (duration is None):
            raise UsageError("a load needs either a count or a duration")
        numbers = itertools.count()
        barrier = Barrier(workers)

        def turns() -> Iterator[int]:
            deadline = time.monotonic() + duration.total_seconds() if duration else None
            for _ in range(count) if count is not None else itertools.count():
                if deadline is not None and time.monotonic() >= deadline:
                    return
                yield next(numbers)

        def labour(conn: psycopg.Connection[Any]) -> _Tally:
            worker = _Worker(self._connect, conn)
            barrier.wait()
            with worker:
                for number in turns():
                    worker.do(work, number)
            return worker.tally

        with ExitStack() as opened:
            connections = [opened.enter_context(self._connect()) for _ in range(workers)]
            begun = time.monotonic()
            with ThreadPoolExecutor(workers) as pool:
                tallies = list(pool.map(labour, connections))
            elapsed = time.monotonic() - begun
        return _report(tallies, elapsed)


@dataclass(kw_only=True)
class _Tally:
    outcomes: Counter[str] = field(default_factory=Counter)
    first: dict[str, psycopg.Error] = field(default_factory=dict)
    slowest: float = 0.0


class _Worker:
    def __init__(self, connect: Connect, conn: psycopg.Connection[Any]) -> None:
        self.tally = _Tally()
        self._connect = connect
        self._conn = conn

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._conn.close()

    def do(self, work: Work, number: int) -> None:
        begun = time.monotonic()
        try:
            work(self._conn, number)
            self._conn.commit()
        except psycopg.Error as error:
            outcome = error.sqlstate or LOST
            self.tally.first.setdefault(outcome, error)
            self._recover(error)
        else:
            outcome = SUCCESS
        self.tally.outcomes[outcome] += 1
        self.tally.slowest = max(self.tally.slowest, time.monotonic() - begun)

    def _recover(self, error: psycopg.Error) -> None:
        if self._conn.closed or is_connection_lost(error):
            self._conn.close()
            # The server may have crashed, and takes its time to recover.
            self._conn = with_retry(self._connect, 10, 0.01, retry_on=is_connection_lost)
        else:
            self._conn.rollback()


def _report(tallies: list[_Tally], elapsed: float) -> LoadReport:
    first: dict[str, psycopg.Error] = {}
    for tally in tallies:
        first = {**tally.first, **first}
    return LoadReport(
        workers=len(tallies),
        outcomes=sum((tally.outcomes for tally in tallies), Counter()),
        elapsed=timedelta(seconds=elapsed),
        slowest=timedelta(seconds=max(tally.slowest for tally in tallies)),
        errors=list(first.values()),
    )
