"""``--chaos-sabotage all``: the same tests against each sabotage, and who noticed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

ALL = "all"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run pytest once as it is and once for each sabotage, instead of here."""
    if config.getoption("--chaos-sabotage") != ALL or hasattr(config, "workerinput"):
        return None
    from pggit_chaos.errors import ChaosError

    try:
        return _compare(_command(config))
    except ChaosError as error:
        raise pytest.UsageError(f"{error}\n{error.detail or ''}") from error


def _compare(command: tuple[str, ...]) -> int:
    from pggit_chaos import listing, metrics, sabotage, suite_run, talk
    from pggit_chaos.suite_run import Plan

    chosen = sabotage.all()
    control = Plan(label="no sabotage", command=command)
    plans = [
        Plan(label=each.name, command=command, arguments=(f"--chaos-sabotage={each.name}",))
        for each in chosen
    ]
    ((_, healthy),) = suite_run.run_all([control])
    talk.say(f"no sabotage: {sum(entry.failed for entry in healthy.entries)} failed")
    verdicts: list[metrics.Verdict] = []
    try:
        for place, run in suite_run.run_all(plans):
            verdicts.append(metrics.judge(chosen[place], healthy, run))
            talk.say(f"{chosen[place].name}: {len(verdicts[-1].noticed)} noticed")
    except KeyboardInterrupt:
        talk.say("interrupted; until then:")
    matrix = metrics.as_matrix([healthy], verdicts)
    listing.write([matrix], "table")
    if len(verdicts) < len(chosen):
        return pytest.ExitCode.INTERRUPTED
    return pytest.ExitCode.TESTS_FAILED if matrix.failures else pytest.ExitCode.OK


def _command(config: pytest.Config) -> tuple[str, ...]:
    from pggit_chaos import suite_run

    arguments = _without_sabotage([str(each) for each in config.invocation_params.args])
    level = () if config.option.markexpr else ("-m", suite_run.SMOKE)
    return (sys.executable, "-m", "pytest", "-ppggit_chaos.journal", *level, *arguments)


def _without_sabotage(arguments: Sequence[str]) -> list[str]:
    option = "--chaos-sabotage"
    kept = [each for each in arguments if each != f"{option}={ALL}"]
    while option in kept:
        del kept[kept.index(option) : kept.index(option) + 2]
    return kept
