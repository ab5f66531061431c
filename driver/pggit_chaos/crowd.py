"""Sessions that do something at the same time, and what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from pggit_chaos.chaos import Pause
from pggit_chaos.errors import ChaosError

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos
    from pggit_chaos.target import Target

__all__ = ["Crowd", "Halted", "Running", "errors", "sqlstates"]

T = TypeVar("T")
Connection = psycopg.Connection[Any]

PATIENCE = 60.0  # seconds; some pgGits write thousands of rows at a merge
_LOOK = timedelta(milliseconds=100)
_BLOCKED = "SELECT cardinality(pg_catalog.pg_blocking_pids(%s)) > 0"


class Running:
    """Work that goes on in a session of its own."""

    def __init__(self, future: Future[Any], conn: Connection, watcher: Connection) -> None:
        self.pid = conn.info.backend_pid
        self._future = future
        self._watcher = watcher

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._future.done()

    @property
    def blocked(self) -> bool:
        """Whether it waits for a lock that another session holds."""
        row = self._watcher.execute(_BLOCKED, (self.pid,)).fetchone()
        return row is not None and bool(row[0])

    def settle(self) -> bool:
        """Return when it is done, or waits for a lock; answer whether it is done."""
        deadline = time.monotonic() + PATIENCE
        while not self.done and not self.blocked:
            if time.monotonic() > deadline:
                raise TimeoutError("it neither ends nor waits for a lock")
            time.sleep(0.002)
        return self.done

    def result(self) -> Any:
        """Return what the work returned; raise what it raised."""
        return self._future.result(PATIENCE)

    def outcome(self) -> Any:
        """Return what the work returned, or the psycopg.Error that it raised."""
        try:
            return self.result()
        except psycopg.Error as error:
            return error


class Halted(Running):
    """Work that stands still at a failpoint until it is told to go on."""

    def __init__(
        self, future: Future[Any], conn: Connection, watcher: Connection, pause: Pause
    ) -> None:
        super().__init__(future, conn, watcher)
        self._pause = pause

    def await_halt(self) -> None:
        """Return when it stands still; raise what it raised where it does not get there."""
        deadline = time.monotonic() + PATIENCE
        while not self._stands_still():
            if self.done:
                self.result()
                raise ChaosError(f'it ended without passing "{self._pause.failpoint}"')
            if time.monotonic() > deadline:
                raise TimeoutError(f'it does not come to "{self._pause.failpoint}"')

    def go_on(self) -> None:
        """Let it go."""
        self._pause.release()

    def _stands_still(self) -> bool:
        try:
            self._pause.wait(timeout=_LOOK)
        except TimeoutError:
            return False
        return True


class Crowd:
    """Makes sessions by ``connect(autocommit=...)``, which also closes them.

    What a session meets as a ``psycopg.Error`` is an outcome like others, not
    raised: in a race somebody may have to lose.  All else is raised.
    """

    def __init__(self, connect: Callable[..., Connection]) -> None:
        self._connect = connect
        self._watcher = connect(autocommit=True)

    def together(self, *works: Callable[[Target], Any]) -> list[Any]:
        """Begin all works at once, each in an autocommit session; return their outcomes."""
        targets = [_target(self._connect(autocommit=True)) for _ in works]
        barrier = Barrier(len(works))

        def one(work: Callable[[Target], Any], target: Target) -> Any:
            barrier.wait(PATIENCE)
            try:
                return work(target)
            except psycopg.Error as error:
                return error

        with ThreadPoolExecutor(len(works)) as pool:
            outcomes = list(pool.map(one, works, targets))
        for target in targets:
            target.conn.close()
        return outcomes

    @contextmanager
    def running(self, work: Callable[[Target], Any], *, session: Any = None) -> Iterator[Running]:
        """Do a work beside the block, which has to let it end."""
        conn = session if session is not None else self._connect(autocommit=True)
        with ThreadPoolExecutor(1) as pool:
            yield Running(pool.submit(work, _target(conn)), conn, self._watcher)

    @contextmanager
    def halted(
        self, chaos: Chaos, failpoint: str, work: Callable[[Target], Any], *, session: Any = None
    ) -> Iterator[Halted]:
        """Have a work stand still where it first passes a failpoint; behind the block it goes on.

        ``chaos`` is that of another session.  Raises what the work raises where
        it does not get there.
        """
        conn = session if session is not None else self._connect(autocommit=True)
        scope = f"pid:{conn.info.backend_pid}"
        with ThreadPoolExecutor(1) as pool, chaos.fault(failpoint, "1*wait", scope=scope):
            pause = Pause(chaos.conn, failpoint)
            halted = Halted(pool.submit(work, _target(conn)), conn, self._watcher, pause)
            halted.await_halt()
            yield halted


def _target(conn: Connection) -> Target:
    from pggit_chaos.target import Target

    return Target(conn)


def errors(outcomes: Sequence[Any]) -> list[psycopg.Error]:
    """Return the errors among outcomes."""
    return [outcome for outcome in outcomes if isinstance(outcome, psycopg.Error)]


def sqlstates(outcomes: Sequence[Any]) -> list[str | None]:
    """Return the SQLSTATEs of the errors among outcomes, sorted."""
    return sorted((error.sqlstate for error in errors(outcomes)), key=str)
