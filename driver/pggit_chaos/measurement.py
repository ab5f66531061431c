"""A suite measured: run as it is, then against each sabotage, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pggit_chaos import metrics, suite_run, talk
from pggit_chaos.listing import Listing
from pggit_chaos.metrics import FailureModes, Verdict
from pggit_chaos.sabotage import Sabotage
from pggit_chaos.suite_run import SMOKE, Plan, Run
from pggit_chaos.workbench import Choice, open_workbench

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Measurement", "figures", "modes"]


def modes(pg_bindir: Path | None = None) -> FailureModes:
    """Discover the failure modes of the reference target, on a throwaway server."""
    from pggit_chaos.chaos import Chaos

    with open_workbench(Choice(pg_bindir=pg_bindir), talk.say) as bench:
        return metrics.failure_modes(Chaos(bench.conn))


def figures(run: Run, modes: FailureModes) -> list[Listing]:
    """Return the metrics of one run of the suite as it is, and what it leaves untested."""
    return [metrics.as_listing(metrics.measure([run], modes)), metrics.as_untested(run, modes)]


class Measurement:
    """The runs that were made until now, and what they tell.

    With ``own`` a sabotage meets only the tests of its own category, with
    ``first`` only as many as it takes until one notices.
    """

    def __init__(
        self,
        chosen: Sequence[Sabotage],
        *,
        modes: FailureModes,
        arguments: Sequence[str] = (),
        own: bool = False,
        first: bool = False,
    ) -> None:
        self.chosen = chosen
        self.modes = modes
        self.controls: list[Run] = []
        self.sabotaged: dict[int, Run] = {}  # by place in chosen
        self._arguments = arguments
        self._own = own
        self._first = first

    def run(self, *, jobs: int = 1, repeat: int = 1) -> None:
        """Run the suite as it is so many times, then against each sabotage."""
        control = Plan(label="no sabotage", arguments=self._control_arguments())
        for _, run in suite_run.run_all([control] * repeat, jobs=jobs):
            self.controls.append(run)
            _tell(run, sum(entry.failed for entry in run.entries), "failed")
        plans = [
            Plan(label=each.name, arguments=self._sabotage_arguments(each)) for each in self.chosen
        ]
        for place, run in suite_run.run_all(plans, jobs=jobs):
            self.sabotaged[place] = run
            _tell(run, len(self._judge(place).noticed), "noticed")

    def verdicts(self) -> list[Verdict]:
        """Return what became of each sabotage that was run."""
        return [self._judge(place) for place in sorted(self.sabotaged)]

    def listings(self, *, every_test: bool = False) -> list[Listing]:
        """Return the matrix, the metrics and what is untested, of the runs until now.

        With ``every_test`` each test is listed, too.
        """
        if not self.controls:
            return []
        verdicts = self.verdicts()
        figures = metrics.measure(
            self.controls, self.modes, verdicts, list(self.sabotaged.values())
        )
        return [
            metrics.as_matrix(self.controls, verdicts),
            *([metrics.as_tests(self.controls[0], verdicts)] if every_test else []),
            metrics.as_listing(figures),
            metrics.as_untested(self.controls[0], self.modes),
        ]

    # -- how it is done --------------------------------------------------

    def _judge(self, place: int) -> Verdict:
        return metrics.judge(self.chosen[place], self.controls[0], self.sabotaged[place])

    def _control_arguments(self) -> tuple[str, ...]:
        categories = {each.category for each in self.chosen}
        return ("-m", self._markers(categories), *self._arguments)

    def _sabotage_arguments(self, sabotage: Sabotage) -> tuple[str, ...]:
        return (
            *("-m", self._markers({sabotage.category}), *self._arguments),
            *("--chaos-sabotage", str(sabotage.path)),
            *(["--maxfail=1"] if self._first else []),
        )

    def _markers(self, categories: set[str | None]) -> str:
        named = [category for category in categories if category is not None]
        if not self._own or len(named) < len(categories):
            return SMOKE
        return f"{SMOKE} and ({' or '.join(sorted(named))})"


def _tell(run: Run, count: int, what: str) -> None:
    talk.say(f"{run.plan.label}: {count} of {len(run.entries)} tests {what}, {run.seconds:.0f} s")
