"""How much a level of the suite tries: which cases, and of Hypothesis how many examples."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

__all__ = ["DEFAULT", "LEVELS", "cases", "examples", "register"]

DEFAULT: Final = "smoke"
LEVELS: Final[dict[str, dict[str, Any]]] = {
    "smoke": {"max_examples": 15, "stateful_step_count": 15, "derandomize": True},
    "full": {"max_examples": 60, "stateful_step_count": 30},
    "weekly": {"max_examples": 500, "stateful_step_count": 50},
}


def cases(values: Iterable[Any], *, smoke: Collection[Any]) -> list[Any]:
    """Return what a test is parametrized with: all but ``smoke`` are marked ``slow``.

    Raises ValueError where one of ``smoke`` is none of the values.
    """
    every = list(values)
    if unknown := [value for value in smoke if value not in every]:
        raise ValueError(f"no such cases: {unknown}")
    return [
        value if value in smoke else pytest.param(value, marks=pytest.mark.slow) for value in every
    ]


def register() -> None:
    """Make the profiles known to Hypothesis."""
    from hypothesis import HealthCheck, Phase, settings

    for name, values in LEVELS.items():
        settings.register_profile(
            name,
            **values,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,  # a group of errors says in no word what went wrong
            phases=[phase for phase in Phase if phase != Phase.explain],  # it traces every line
            # One database serves all examples of a test, which undo what they do.
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )


@contextmanager
def examples(config: pytest.Config) -> Iterator[None]:
    """Have the default level for the block, unless the user has named a profile."""
    from hypothesis import settings

    if config.getoption("--hypothesis-profile", None):
        yield
        return
    register()
    before = settings.get_current_profile_name()
    settings.load_profile(DEFAULT)
    try:
        yield
    finally:
        settings.load_profile(before)
