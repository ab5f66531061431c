"""One test's database and the faults that it armed, for whoever judges it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pggit_chaos.chaos import Fault

__all__ = ["EXPERIMENT", "Armed", "Experiment"]


@dataclass(frozen=True, kw_only=True)
class Armed:
    """A fault that a test armed, and where."""

    failpoint: str
    term: str
    scope: str
    fault: Fault

    @property
    def counts(self) -> tuple[int, int] | None:
        """Hits and fired; None where they went with the session or the transaction."""
        from pggit_chaos.errors import ChaosError

        try:
            return self.fault.hits, self.fault.fired
        except ChaosError:
            return None


@dataclass(kw_only=True)
class Experiment:
    """What the plugin knows of one test."""

    conninfo: str
    known_findings: frozenset[tuple[str, str]]
    hooked: bool = False  # from the beginning
    armed: list[Armed] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)  # the failpoints that sweeps struck
    corrupted: list[str] = field(default_factory=list)  # the kinds of what was done


EXPERIMENT = pytest.StashKey[Experiment]()
