"""The Chaos that tests get: it remembers what was armed, swept and corrupted through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pggit_chaos.chaos import Chaos, Fault
from pggit_chaos.plugin.experiment import Armed, Experiment
from pggit_chaos.rows import Corruption, Drill, Outcome

if TYPE_CHECKING:
    import psycopg

__all__ = ["RecordingChaos"]


class RecordingChaos(Chaos):
    """Chaos that tells an experiment of whatever it does."""

    def __init__(self, conn: psycopg.Connection[Any], experiment: Experiment) -> None:
        super().__init__(conn)
        self._experiment = experiment

    @contextmanager
    def fault(
        self, failpoint: str, term: str = "error", *, scope: str = "session", **options: Any
    ) -> Iterator[Fault]:
        """Arm a fault for the block, as Chaos does, and remember it."""
        with super().fault(failpoint, term, scope=scope, **options) as fault:
            armed = Armed(failpoint=failpoint, term=term, scope=scope, fault=fault)
            self._experiment.armed.append(armed)
            yield fault

    @contextmanager
    def corruption(self, kind: str, seed: int = 0) -> Iterator[Corruption]:
        """Corrupt for the block, as Chaos does, and remember it."""
        with super().corruption(kind, seed) as corruption:
            self._experiment.corrupted.append(kind)
            yield corruption

    def drill(self, kind: str, seed: int = 0) -> Drill:
        """Drill, as Chaos does, and remember it."""
        drill = super().drill(kind, seed)
        self._experiment.corrupted.append(kind)
        return drill

    def drill_all(self, category: str | None = None, seed: int = 0) -> list[Drill]:
        """Drill, as Chaos does, and remember which kinds."""
        drills = super().drill_all(category, seed)
        self._experiment.corrupted += [drill.kind for drill in drills]
        return drills

    def sweep(self, statement: str, sqlstates: Sequence[str] = ("40001", "57014")) -> list[Outcome]:
        """Sweep, as Chaos does, and remember where it struck."""
        outcomes = super().sweep(statement, sqlstates)
        self._experiment.swept += [
            each.failpoint for each in outcomes if each.outcome != "unreached"
        ]
        return outcomes
