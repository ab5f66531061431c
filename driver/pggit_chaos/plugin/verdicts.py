"""What becomes of a test when it is over: skipped, failed after all, explained."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pggit_chaos.errors import ChaosError, NotApplicableError
from pggit_chaos.plugin.experiment import ENDED, EXPERIMENT, Experiment
from pggit_chaos.plugin.options import Options

SECTION = "pggit_chaos"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test whose fixtures need what this pgGit or this server lacks."""
    __tracebackhide__ = True
    if Options.of(item.config).dsn is not None and item.get_closest_marker("destructive"):
        pytest.skip("not applicable: needs a server of its own")
    try:
        yield
    except (NotApplicableError, BaseExceptionGroup) as error:
        _skip_if_not_applicable(error)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test that is not applicable; judge what one left that passed."""
    __tracebackhide__ = True
    try:
        yield
    except (NotApplicableError, BaseExceptionGroup) as error:
        _skip_if_not_applicable(error)
        raise
    if EXPERIMENT in item.stash:
        _judge(item, item.stash[EXPERIMENT])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what was armed, what fired, and what is left."""
    report = yield
    if report.failed and call.when != "teardown" and EXPERIMENT in item.stash:
        from pggit_chaos.plugin import evidence

        try:
            told = evidence.describe(item.stash[EXPERIMENT])
        except pytest.fail.Exception as error:  # the test's time is up while we look
            told = f"it could not be read: {error}"
        report.sections.append((SECTION, told))
    return report


def _judge(item: pytest.Item, experiment: Experiment) -> None:
    from pggit_chaos.plugin import evidence

    options = Options.of(item.config)
    idle = [armed for armed in experiment.armed if armed.counts is not None and not armed.counts[1]]
    if options.must_fire and idle:
        lines = [f"  {evidence.describe_armed(armed)}" for armed in idle]
        pytest.fail("\n".join(["armed, and never fired:", *lines]), pytrace=False)
    if experiment.over == ENDED:
        pytest.fail(ENDED, pytrace=False)
    allowed = _allowed(item)
    if options.null or allowed == ():
        return
    try:
        found = evidence.new_findings(experiment)
    except ChaosError as error:
        pytest.fail(f"fsck could not run when the test was over: {error}", pytrace=False)
    left = [each for each in found if each.check_id not in (allowed or ())]
    if left and (options.dsn is not None or options.pggit_source is not None):
        # A promise that this pgGit breaks by itself, in whatever a test does, is
        # for the tests of that promise to tell.
        sound = evidence.sound_checks(experiment)
        left = [each for each in left if each.check_id in sound]
    if left:
        lines = [f"  {line}" for line in evidence.describe_findings(left)]
        reason = "the test left what fsck finds (mark it may_leave_findings if it should):"
        pytest.fail("\n".join([reason, *lines]), pytrace=False)


def _allowed(item: pytest.Item) -> tuple[str, ...] | None:
    """Return the checks that may find something; all of them if there is none in it."""
    marker = item.get_closest_marker("may_leave_findings")
    return None if marker is None else marker.args


def _skip_if_not_applicable(error: BaseException) -> None:
    """Skip if nothing else went wrong, in whichever thread, task or example."""
    causes = list(_leaves(error))
    if all(isinstance(cause, NotApplicableError) for cause in causes):
        pytest.skip(f"not applicable: {causes[0]}")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
