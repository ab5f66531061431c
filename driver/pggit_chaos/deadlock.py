"""A deadlock of two sessions that comes every time, and always to the same one's cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors
from psycopg.rows import scalar_row

from pggit_chaos.errors import ChaosError
from pggit_chaos.monitor import TransactionMonitor

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]
    Connect = Callable[[], Connection]
    Step = Callable[[Connection], object]
    Attempt = Future[errors.DeadlockDetected | None]

__all__ = ["Deadlock", "DeadlockSetup", "NoDeadlockError"]

# The one waits for so long before it looks for a deadlock, the other does not.
_PATIENCE = "1h"
_IMPATIENCE = "1ms"
_MAY_SET = "SELECT pg_catalog.has_parameter_privilege('deadlock_timeout', 'SET')"
_SET = "SELECT pg_catalog.set_config('deadlock_timeout', %s, false)"


class NoDeadlockError(ChaosError):
    """Two sessions did not get in each other's way."""


@dataclass(frozen=True, kw_only=True)
class Deadlock:
    """What became of the two sessions."""

    error: errors.DeadlockDetected
    loser: Connection
    """Rolled back, and ready to try again."""
    survivor: Connection
    """In its transaction, with both steps done: commit it, or roll it back."""


class DeadlockSetup:
    """Leads two sessions into a deadlock, over connections that ``connect`` makes."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    @contextmanager
    def deadlock(
        self, first: Step, second: Step, *, timeout: timedelta = timedelta(seconds=10)
    ) -> Iterator[Deadlock]:
        """Have a deadlock of two steps, and its two sessions for the block.

        The survivor takes the first step and then the second, the loser the second
        and then the first, each in one transaction.  Raises ChaosError where the
        steps do not get in each other's way.  Both sessions are closed afterwards.
        Where the role may not set deadlock_timeout, either may be the loser.
        """
        with ExitStack() as opened:
            one, other, watcher = (opened.enter_context(closing(self._connect())) for _ in range(3))
            _begin(one, _PATIENCE)
            _begin(other, _IMPATIENCE)
            watcher.autocommit = True
            first(one)
            second(other)
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(_attempt, second, one)
                try:
                    _await_block(TransactionMonitor(watcher), one, waiting, timeout)
                    lost = _attempt(first, other), _await_end(waiting, timeout)
                finally:
                    if not waiting.done():
                        one.cancel()
            yield _verdict((other, lost[0]), (one, lost[1]))


def _begin(conn: Connection, patience: str) -> None:
    conn.rollback()
    conn.autocommit = True
    with conn.cursor(row_factory=scalar_row) as cursor:
        if cursor.execute(_MAY_SET).fetchone():
            cursor.execute(_SET, (patience,))
    conn.autocommit = False


def _attempt(step: Step, conn: Connection) -> errors.DeadlockDetected | None:
    try:
        step(conn)
    except errors.DeadlockDetected as error:
        conn.rollback()
        return error
    return None


def _await_block(
    monitor: TransactionMonitor, conn: Connection, waiting: Attempt, timeout: timedelta
) -> None:
    """Return when the session waits; raise where its step came to its end."""
    try:
        monitor.wait_until_blocked(conn.info.backend_pid, timeout=timeout, unless=waiting.done)
    except TimeoutError as error:
        if waiting.done():
            waiting.result()  # where it raised, that says more
        raise _no_deadlock("the first session did not have to wait") from error


def _await_end(waiting: Attempt, timeout: timedelta) -> errors.DeadlockDetected | None:
    try:
        return waiting.result(timeout.total_seconds())
    except TimeoutError as error:
        raise _no_deadlock("the first session had to wait, and the second did not") from error


def _verdict(*ends: tuple[Connection, errors.DeadlockDetected | None]) -> Deadlock:
    lost = [(conn, error) for conn, error in ends if error is not None]
    won = [conn for conn, error in ends if error is None]
    if len(lost) != 1:
        raise _no_deadlock(f"{len(lost)} of the two sessions were ended by one")
    ((loser, error),) = lost
    return Deadlock(error=error, loser=loser, survivor=won[0])


def _no_deadlock(reason: str) -> ChaosError:
    return NoDeadlockError(f"there is no deadlock: {reason}")
