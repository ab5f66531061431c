"""What holds for this suite alone.  Its fixtures are the plugin's: pytest --fixtures."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pggit_chaos.plugin import levels


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    # A module's @settings start from the profile that is current when it is imported.
    with levels.examples(collector.config):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with levels.examples(item.config):
        return (yield)
