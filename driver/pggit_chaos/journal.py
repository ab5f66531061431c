"""A run of the suite, written down test by test and read back.

As a pytest plugin (``-p pggit_chaos.journal --chaos-journal FILE``) it adds one
line of JSON when a test starts and one when it is over: what became of it, which
kinds of failure it made happen, and how Hypothesis shrank it.  A line that is
written is not lost, whatever ends the run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pytest

__all__ = ["Entry", "read"]

_PROPERTY = "pggit_chaos"
_SHRINKS = pytest.StashKey[int]()
_ACTION = re.compile(r"(?:^|->|\*|%)\s*([a-z]+)")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One test: what became of it, and how."""

    nodeid: str
    outcome: str  # passed, failed, skipped; started, if it ended the run
    message: str | None = None  # of a failure or a skip
    seconds: float = 0.0
    markers: tuple[str, ...] = ()
    struck: tuple[tuple[str, str], ...] = ()  # failpoint pattern and action, of what fired
    corrupted: tuple[str, ...] = ()  # kinds
    shrinks: int | None = None  # steps to the example that is shown; None: nothing was shrunk

    @property
    def failed(self) -> bool:
        """Whether the test failed; one that ended the run did."""
        return self.outcome in ("failed", "started")


def read(path: Path) -> list[Entry]:
    """Return the tests of a journal in the order in which they started."""
    entries: dict[str, Entry] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        values["struck"] = tuple((failpoint, action) for failpoint, action in values["struck"])
        values["markers"] = tuple(values["markers"])
        values["corrupted"] = tuple(values["corrupted"])
        entries[values["nodeid"]] = Entry(**values)
    return list(entries.values())


# -- the plugin ----------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos-journal", type=Path, metavar="FILE", help="write down there what becomes of tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--chaos-journal")
    if path is not None and not hasattr(config, "workerinput"):  # a worker of xdist reports to us
        config.pluginmanager.register(_Writer(path))


@pytest.hookimpl(wrapper=True, trylast=True)  # inside of what Hypothesis' own plugin sets up
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Keep what Hypothesis counts; it is not loaded for this alone."""
    if "hypothesis" not in sys.modules:
        yield
        return
    from hypothesis import statistics

    collector: Any = statistics.collector  # typed as one of nothing
    others = collector.value

    def keep(counted: dict[str, Any]) -> None:
        if "shrink-phase" in counted:
            item.stash[_SHRINKS] = counted["shrink-phase"]["shrinks-successful"]
        if others is not None:
            others(counted)

    with collector.with_value(keep):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what is known of a test along with its last report."""
    report = yield
    if report.when == "teardown":
        report.user_properties.append((_PROPERTY, _known(item)))
    return report


def _known(item: pytest.Item) -> dict[str, Any]:
    from pggit_chaos.plugin.experiment import EXPERIMENT

    known: dict[str, Any] = {
        "markers": sorted({marker.name for marker in item.iter_markers()}),
        "shrinks": item.stash.get(_SHRINKS, None),
    }
    experiment = item.stash.get(EXPERIMENT, None)
    if experiment is not None:
        fired = (armed for armed in experiment.armed if (armed.counts or (0, 0))[1] > 0)
        known["struck"] = sorted(
            {(armed.failpoint, _first_action(armed.term)) for armed in fired}
            | {(failpoint, "error") for failpoint in experiment.swept}
        )
        known["corrupted"] = sorted(set(experiment.corrupted))
    return known


def _first_action(term: str) -> str:
    """Return what a term does when it fires: nothing fires at ``off``."""
    return next((action for action in _ACTION.findall(term) if action != "off"), "error")


class _Writer:
    """Writes each entry down when it is known."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._outcomes: dict[str, str] = {}
        self._messages: dict[str, str | None] = {}
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(Entry(nodeid=nodeid, outcome="started"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        nodeid = report.nodeid
        self._seconds[nodeid] = self._seconds.get(nodeid, 0.0) + report.duration
        if report.outcome != "passed":  # whichever of its phases it was
            self._outcomes[nodeid] = report.outcome
            self._messages[nodeid] = _message(report)
        if report.when == "teardown":
            self._write(
                Entry(
                    nodeid=nodeid,
                    outcome=self._outcomes.get(nodeid, "passed"),
                    message=self._messages.get(nodeid),
                    seconds=round(self._seconds[nodeid], 3),
                    **dict(_ours(report)),
                )
            )

    def pytest_unconfigure(self) -> None:
        self._file.close()

    def _write(self, entry: Entry) -> None:
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()


def _ours(report: pytest.TestReport) -> Iterator[tuple[str, Any]]:
    for name, known in report.user_properties:
        if name == _PROPERTY and isinstance(known, dict):
            yield from known.items()


def _message(report: pytest.TestReport) -> str | None:
    """Return what a failure says at its end, or the reason of a skip."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr)
