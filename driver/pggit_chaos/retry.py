"""Trying again what may succeed the next time, decided by SQLSTATE and never by text.

Needs the extra ``pggit-chaos[suite]``: the trying is tenacity's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

import psycopg
import tenacity

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["SERIALIZATION", "is_connection_lost", "is_serialization", "is_transient", "with_retry"]

Result = TypeVar("Result")

SERIALIZATION: Final = frozenset({"40001", "40P01"})
"""PostgreSQL took the transaction back for another's sake: it is as if it had never begun."""

# Class 08: connection exceptions.  57P01 to 57P03: ended by an administrator, by
# a crash of another session, not accepting yet.  57P05: idle for too long.
_LOST: Final = ("08", "57P01", "57P02", "57P03", "57P05")

_LONGEST: Final = 5.0  # seconds


def is_serialization(error: BaseException) -> bool:
    """Answer whether a transaction was taken back, and may be run again as it is."""
    return isinstance(error, psycopg.Error) and error.sqlstate in SERIALIZATION


def is_connection_lost(error: BaseException) -> bool:
    """Answer whether the session is gone, or never came about.

    What it had sent COMMIT for may be durable all the same.  Run it again only
    where doing it twice does no harm.
    """
    if not isinstance(error, psycopg.OperationalError):
        return False
    # libpq hands on no SQLSTATE where the server had no time to say one.
    return error.sqlstate is None or error.sqlstate.startswith(_LOST)


def is_transient(error: BaseException) -> bool:
    """Answer whether it is one of either kind."""
    return is_serialization(error) or is_connection_lost(error)


@overload
def with_retry(
    operation: Callable[[], Awaitable[Result]],
    max_attempts: int = ...,
    backoff: float = ...,
    *,
    retry_on: Callable[[BaseException], bool] = ...,
    before_retry: Callable[[BaseException], object] | None = ...,
) -> Awaitable[Result]: ...


@overload
def with_retry(
    operation: Callable[[], Result],
    max_attempts: int = ...,
    backoff: float = ...,
    *,
    retry_on: Callable[[BaseException], bool] = ...,
    before_retry: Callable[[BaseException], object] | None = ...,
) -> Result: ...


def with_retry(
    operation: Callable[[], Any],
    max_attempts: int = 3,
    backoff: float = 0.1,
    *,
    retry_on: Callable[[BaseException], bool] = is_transient,
    before_retry: Callable[[BaseException], object] | None = None,
) -> Any:
    """Run an operation until it succeeds, and return what it returned.

    It is run ``max_attempts`` times at most, with pauses of ``backoff`` seconds,
    then twice as long, and so on up to five seconds.  Only errors that ``retry_on`` accepts are
    tried again; the last one is raised as it is.  ``before_retry`` is called with
    the error before each pause: the place for a rollback or a new connection.
    Where the operation returns an awaitable, so does this.
    """
    rules: dict[str, Any] = {
        "stop": tenacity.stop_after_attempt(max_attempts),
        "wait": tenacity.wait_exponential(multiplier=backoff, min=0, max=_LONGEST),
        "retry": tenacity.retry_if_exception(retry_on),
        "before_sleep": _told(before_retry) if before_retry is not None else None,
        "reraise": True,
    }
    answer = tenacity.Retrying(sleep=time.sleep, **rules)(operation)
    if not isawaitable(answer):
        return answer
    return tenacity.AsyncRetrying(sleep=asyncio.sleep, **rules)(_awaiting(operation, answer))


def _awaiting(
    operation: Callable[[], Awaitable[Any]], first: Awaitable[Any]
) -> Callable[[], Awaitable[Any]]:
    """Return a coroutine function whose first call awaits what was called already."""
    begun = [first]

    async def attempt() -> Any:
        return await (begun.pop() if begun else operation())

    return attempt


def _told(before_retry: Callable[[BaseException], object]) -> Callable[[RetryCallState], None]:
    def tell(state: RetryCallState) -> None:
        outcome = cast("tenacity.Future", state.outcome)
        error = outcome.exception()
        assert error is not None
        before_retry(error)

    return tell
