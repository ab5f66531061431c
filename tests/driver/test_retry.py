"""What is tried again is decided by SQLSTATE, and by nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg import errors

from pggit_chaos.retry import is_connection_lost, is_serialization, is_transient, with_retry

pytestmark = pytest.mark.one_version

SERIALIZATION = [errors.SerializationFailure, errors.DeadlockDetected]
LOST = [
    psycopg.OperationalError,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.ConnectionFailure,
    errors.IdleSessionTimeout,
]
FINAL = [
    errors.UniqueViolation,
    errors.QueryCanceled,
    errors.DiskFull,
    errors.RaiseException,
    psycopg.InterfaceError,
    ZeroDivisionError,
]


class Flaky:
    """Fails with each error in turn, then answers."""

    def __init__(self, *failures: BaseException) -> None:
        self.calls = 0
        self._failures = list(failures)

    def __call__(self) -> str:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return "done"


@pytest.mark.parametrize("kind", SERIALIZATION)
def test_what_was_taken_back_is_tried_again(kind: type[Exception]) -> None:
    flaky = Flaky(kind("a"), kind("b"))
    assert with_retry(flaky, backoff=0) == "done"
    assert flaky.calls == 3


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_connection_is_tried_again_unless_told_otherwise(kind: type[Exception]) -> None:
    assert with_retry(Flaky(kind("a")), backoff=0) == "done"
    flaky = Flaky(kind("a"))
    with pytest.raises(kind):
        with_retry(flaky, backoff=0, retry_on=is_serialization)
    assert flaky.calls == 1


@pytest.mark.parametrize("kind", FINAL)
def test_everything_else_is_raised_at_once(kind: type[Exception]) -> None:
    flaky = Flaky(kind("could not serialize access; deadlock detected; connection lost"))
    with pytest.raises(kind):
        with_retry(flaky, backoff=0)
    assert flaky.calls == 1


def test_the_last_error_is_raised_as_it_is() -> None:
    last = errors.SerializationFailure("the last")
    flaky = Flaky(errors.DeadlockDetected("the first"), last)
    with pytest.raises(errors.SerializationFailure) as caught:
        with_retry(flaky, 2, 0)
    assert caught.value is last
    assert flaky.calls == 2


def test_each_pause_is_twice_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with_retry(Flaky(*map(errors.SerializationFailure, "abc")), 4, 0.1)
    assert pauses == pytest.approx([0.1, 0.2, 0.4])


def test_before_each_pause_the_error_is_told() -> None:
    seen: list[BaseException] = []
    first = errors.SerializationFailure("first")
    with_retry(Flaky(first), backoff=0, before_retry=seen.append)
    assert seen == [first]


@pytest.mark.parametrize("wrap", [lambda operation: operation, lambda op: lambda: op()])
def test_an_async_operation_is_awaited(
    wrap: Callable[[Callable[[], Awaitable[str]]], Callable[[], Awaitable[str]]],
) -> None:
    flaky = Flaky(errors.SerializationFailure("a"), errors.DeadlockDetected("b"))

    async def operation() -> str:
        return flaky()

    async def caller() -> str:
        return await with_retry(wrap(operation), 3, 0)

    assert asyncio.run(caller()) == "done"
    assert flaky.calls == 3


def test_the_last_error_of_an_async_operation_is_raised_as_it_is() -> None:
    last = errors.SerializationFailure("the last")
    flaky = Flaky(errors.DeadlockDetected("the first"), last)

    async def operation() -> str:
        return flaky()

    async def caller() -> str:
        return await with_retry(operation, 2, 0)

    with pytest.raises(errors.SerializationFailure) as caught:
        asyncio.run(caller())
    assert caught.value is last


@pytest.mark.parametrize("predicate", [is_serialization, is_connection_lost, is_transient])
def test_no_predicate_accepts_what_is_final(predicate: Callable[[BaseException], bool]) -> None:
    assert not any(predicate(kind("connection lost")) for kind in FINAL)
