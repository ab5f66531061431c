"""Runs ``async def`` tests that use this plugin, in the loop of their fixtures.

One asyncio.Runner a test: what ``async_conn`` was opened in, the test runs in.
Tests that another plugin was asked to run are left to it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    import asyncio

_OTHERS = ("asyncio", "anyio", "trio")


@pytest.fixture
def async_runner() -> Iterator[asyncio.Runner]:
    """The asyncio.Runner of this test: ``async_runner.run(coroutine)``."""
    import asyncio

    with asyncio.Runner() as runner:
        yield runner


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a coroutine test have its runner."""
    if not isinstance(item, pytest.Function) or not _is_ours(item):
        return
    if "async_runner" not in item.fixturenames:
        item.fixturenames.append("async_runner")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, or each example of one that Hypothesis calls."""
    if not _is_ours(pyfuncitem):
        return None
    runner = cast("asyncio.Runner", pyfuncitem.funcargs["async_runner"])
    function = pyfuncitem.obj
    if hasattr(function, "hypothesis"):
        inner = function.hypothesis.inner_test
        function.hypothesis.inner_test = _driven(inner, runner)
        try:
            function(**_arguments(pyfuncitem))
        finally:
            function.hypothesis.inner_test = inner
    else:
        runner.run(function(**_arguments(pyfuncitem)))
    return True


def _is_ours(item: pytest.Function) -> bool:
    function = item.obj
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    if not inspect.iscoroutinefunction(inner):
        return False
    if any(item.get_closest_marker(name) for name in _OTHERS):
        return False
    return item.get_closest_marker("chaos") is not None or "async_runner" in item.fixturenames


def _arguments(item: pytest.Function) -> dict[str, Any]:
    return {name: item.funcargs[name] for name in item._fixtureinfo.argnames}  # noqa: SLF001 there is no other way


def _driven(coroutine: Callable[..., Any], runner: asyncio.Runner) -> Callable[..., Any]:
    @functools.wraps(coroutine)
    def run(*arguments: Any, **named: Any) -> Any:
        return runner.run(coroutine(*arguments, **named))

    return run
