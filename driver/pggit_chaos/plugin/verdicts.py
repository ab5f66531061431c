"""What becomes of a test when it is over: skipped, failed after all, explained."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pggit_chaos.errors import NotApplicableError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test whose fixtures need what this pgGit or this server lacks."""
    try:
        return (yield)
    except (NotApplicableError, BaseExceptionGroup) as error:
        _skip_if_not_applicable(error)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test that is not applicable; judge one that passed."""
    try:
        yield
    except (NotApplicableError, BaseExceptionGroup) as error:
        _skip_if_not_applicable(error)
        raise


def _skip_if_not_applicable(error: BaseException) -> None:
    """Skip if nothing else went wrong, in whichever thread, task or example."""
    causes = list(_leaves(error))
    if all(isinstance(cause, NotApplicableError) for cause in causes):
        pytest.skip(f"not applicable: {causes[0]}")


def _leaves(error: BaseException) -> Generator[BaseException, None, None]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
