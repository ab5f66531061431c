"""What a suite is worth: which sabotages it notices, and what it makes happen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from pggit_chaos.listing import Listing, Record
from pggit_chaos.sabotage import CATEGORIES, Sabotage

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos
    from pggit_chaos.journal import Entry
    from pggit_chaos.suite_run import Run

__all__ = [
    "FailureModes",
    "Metric",
    "Verdict",
    "as_listing",
    "as_matrix",
    "as_tests",
    "as_untested",
    "failure_modes",
    "judge",
    "measure",
]

CONTROL: Final = "(control)"

_ACTIONS = """
SELECT substr(p.proname, length('_action_') + 1)
  FROM pg_catalog.pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace
   AND p.proname ~ '^_action_[a-z]+$'
   AND p.proargnames[1] = 'fault'
"""
_FAILPOINTS = "SELECT failpoint, kind, phase FROM pggit_chaos.failpoint"


# -- sabotages -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A sabotage, and the tests that noticed it: they pass without it and fail with it."""

    sabotage: Sabotage
    noticed: tuple[Entry, ...]

    def of_category(self, category: str) -> int:
        """Count those of a category that noticed."""
        return sum(category in entry.markers for entry in self.noticed)

    @property
    def failure(self) -> str | None:
        """Say what the suite lacks, if anything."""
        if not self.noticed:
            return "survived: no test noticed"
        category = self.sabotage.category
        if category is not None and not self.of_category(category):
            return f"no test of category {category} noticed"
        return None


def judge(sabotage: Sabotage, control: Run, run: Run) -> Verdict:
    """Return which tests of a run noticed; one that fails without the sabotage, too, did not."""
    healthy = {entry.nodeid for entry in control.entries if entry.outcome == "passed"}
    noticed = tuple(entry for entry in run.entries if entry.failed and entry.nodeid in healthy)
    return Verdict(sabotage=sabotage, noticed=noticed)


def as_matrix(controls: Sequence[Run], verdicts: Iterable[Verdict]) -> Listing:
    """Return sabotage by number of tests that noticed it, the control first."""
    columns = ("sabotage", "category", "noticed", *CATEGORIES, "verdict")
    records = [
        Record(
            name=verdict.sabotage.name,
            values={
                "sabotage": verdict.sabotage.name,
                "category": verdict.sabotage.category,
                "noticed": len(verdict.noticed),
                **{category: verdict.of_category(category) for category in CATEGORIES},
                "verdict": verdict.failure or "noticed",
            },
            failure=verdict.failure,
        )
        for verdict in verdicts
    ]
    failed = [entry for run in controls for entry in run.entries if entry.failed]
    failure = f"fails without a sabotage: {failed[0].nodeid}" if failed else None
    control = Record(
        name=CONTROL,
        values={
            "sabotage": CONTROL,
            "category": None,
            "noticed": len(failed),
            **{
                category: sum(category in entry.markers for entry in failed)
                for category in CATEGORIES
            },
            "verdict": failure or "passes",
        },
        failure=failure,
    )
    return Listing(
        name="sabotages",
        title="Sabotages, by how many tests noticed them",
        columns=columns,
        records=[control, *records],
    )


def as_tests(control: Run, verdicts: Sequence[Verdict]) -> Listing:
    """Return test by sabotages that it noticed, and how many of them nobody else did."""
    who = {
        verdict.sabotage.name: {entry.nodeid for entry in verdict.noticed} for verdict in verdicts
    }
    records = []
    for entry in control.entries:
        if entry.outcome == "skipped":
            continue
        noticed = [name for name, tests in who.items() if entry.nodeid in tests]
        values = {
            "test": entry.nodeid,
            "seconds": entry.seconds,
            "noticed": len(noticed),
            "alone": sum(who[name] == {entry.nodeid} for name in noticed),
            "sabotages": noticed,
        }
        records.append(Record(name=entry.nodeid, values=values))
    return Listing(
        name="tests",
        title="Tests, by the sabotages that they noticed",
        columns=("test", "seconds", "noticed", "alone", "sabotages"),
        records=records,
    )


# -- failure modes -------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FailureModes:
    """What can be made to fail: actions, kinds of corruption, and phases of failpoints."""

    actions: frozenset[str]
    corruptions: frozenset[str]
    phase_of: Mapping[str, str]  # by failpoint

    @property
    def all(self) -> frozenset[str]:
        """Every mode, by one name."""
        return (
            frozenset(f"action {name}" for name in self.actions)
            | frozenset(f"corruption {name}" for name in self.corruptions)
            | frozenset(f"phase {name}" for name in self.phase_of.values())
        )

    def made_by(self, entry: Entry) -> frozenset[str]:
        """Return the modes that a test made happen."""
        made = {f"corruption {kind}" for kind in entry.corrupted}
        for pattern, action in entry.struck:
            made.add(f"action {action}")
            made.update(f"phase {phase}" for phase in self._phases(pattern))
        return self.all & made

    def _phases(self, pattern: str) -> frozenset[str]:
        """Return the phase of what a pattern covers; a pattern of several tells of none."""
        regex = re.compile(re.escape(pattern).replace(r"\*", ".*") + r"(\(.*\))?")
        phases = frozenset(
            phase for failpoint, phase in self.phase_of.items() if regex.fullmatch(failpoint)
        )
        return phases if len(phases) == 1 else frozenset()


def failure_modes(chaos: Chaos) -> FailureModes:
    """Discover the failure modes of the pgGit of a connection."""
    with chaos.hooks():
        failpoints = chaos.conn.execute(_FAILPOINTS).fetchall()
    return FailureModes(
        actions=frozenset(row[0] for row in chaos.conn.execute(_ACTIONS)),
        corruptions=frozenset(kind.kind for kind in chaos.corruption_kinds() if kind.applies),
        phase_of={
            failpoint: _phase(failpoint, kind, phase) for failpoint, kind, phase in failpoints
        },
    )


def _phase(failpoint: str, kind: str, phase: str) -> str:
    if kind in ("table", "commit"):
        return ".".join(failpoint.split(".")[-2:])  # insert.before
    return f"{kind}.{phase}"


# -- figures -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure, and what it is made of."""

    name: str
    value: str
    detail: str = ""


def measure(
    controls: Sequence[Run],
    modes: FailureModes,
    verdicts: Sequence[Verdict] = (),
    sabotaged: Sequence[Run] = (),
) -> list[Metric]:
    """Return the figures of a suite: of its own runs, and of those under sabotage if any."""
    tests = [entry for entry in controls[0].entries if entry.outcome != "skipped"]
    metrics = [
        Metric(
            name="tests",
            value=str(len(tests)),
            detail=", ".join(f"{count} {name}" for name, count in _by_category(tests).items()),
        ),
        _coverage(tests, modes),
        _stability(controls),
        Metric(
            name="time",
            value=f"{fmean(run.seconds for run in controls):.0f} s",
            detail="slowest: " + ", ".join(_slowest(tests)),
        ),
        _shrinking([*controls, *sabotaged]),
    ]
    if verdicts:
        found = sum(bool(verdict.noticed) for verdict in verdicts)
        metrics.insert(
            1,
            Metric(
                name="bugs found per 100 tests",
                value=f"{100 * found / len(tests):.1f}" if tests else "-",
                detail=f"{found} of {len(verdicts)} sabotages",
            ),
        )
    return metrics


def as_listing(metrics: Sequence[Metric]) -> Listing:
    """Return the figures as rows."""
    return Listing(
        name="metrics",
        title="Metrics of the suite",
        columns=("metric", "value", "detail"),
        records=[
            Record(
                name=metric.name,
                values={"metric": metric.name, "value": metric.value, "detail": metric.detail},
            )
            for metric in metrics
        ],
    )


def as_untested(control: Run, modes: FailureModes) -> Listing:
    """Return the failure modes that no test of a run made happen."""
    untested = sorted(modes.all - _made(control.entries, modes))
    return Listing(
        name="untested",
        title="Failure modes that no test makes happen",
        columns=("mode",),
        records=[Record(name=mode, values={"mode": mode}) for mode in untested],
    )


def _by_category(entries: Sequence[Entry]) -> dict[str, int]:
    return {
        category: sum(category in entry.markers for entry in entries) for category in CATEGORIES
    }


def _coverage(tests: Sequence[Entry], modes: FailureModes) -> Metric:
    made = _made(tests, modes)
    return Metric(
        name="failure modes tested",
        value=_percent(len(made), len(modes.all)),
        detail=f"{len(made)} of {len(modes.all)}",
    )


def _made(tests: Sequence[Entry], modes: FailureModes) -> frozenset[str]:
    return frozenset[str]().union(*(modes.made_by(entry) for entry in tests))


def _stability(controls: Sequence[Run]) -> Metric:
    outcomes: dict[str, set[str]] = {}
    for run in controls:
        for entry in run.entries:
            outcomes.setdefault(entry.nodeid, set()).add(entry.outcome)
    unstable = sorted(nodeid for nodeid, seen in outcomes.items() if len(seen) > 1)
    steady = len(outcomes) - len(unstable)
    return Metric(
        name="stability",
        value=_percent(steady, len(outcomes)) if len(controls) > 1 else "-",
        detail=f"{len(controls)} runs; unstable: {', '.join(unstable) or 'none'}",
    )


def _shrinking(runs: Sequence[Run]) -> Metric:
    steps = [entry.shrinks for run in runs for entry in run.entries if entry.shrinks is not None]
    return Metric(
        name="mean shrink steps",
        value=f"{fmean(steps):.1f}" if steps else "-",
        detail=f"of {len(steps)} examples that failed",
    )


def _slowest(entries: Sequence[Entry], count: int = 3) -> list[str]:
    ordered = sorted(entries, key=lambda entry: entry.seconds, reverse=True)
    return [f"{entry.nodeid} ({entry.seconds:.1f} s)" for entry in ordered[:count]]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
