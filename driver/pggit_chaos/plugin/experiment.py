"""One test's database and the faults that it armed, for whoever judges it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.chaos import Fault

__all__ = ["ENDED", "EXPERIMENT", "Armed", "Experiment"]

ENDED: Final = "the test is marked rolled_back, and has ended its transaction by itself"


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
    conn: psycopg.Connection[Any] | None = None
    """The one connection of a test that is rolled back: nobody else sees what it did."""
    known_findings: frozenset[tuple[str, str]]
    hooked: bool = False  # from the beginning
    armed: list[Armed] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)  # the failpoints that sweeps struck
    corrupted: list[str] = field(default_factory=list)  # the kinds of what was done

    @property
    def over(self) -> str | None:
        """Why there is no transaction any more that would be rolled back, if so."""
        from psycopg.pq import TransactionStatus

        if self.conn is None:
            return None
        ends = {
            TransactionStatus.IDLE: ENDED,
            TransactionStatus.INERROR: "its transaction is aborted: nothing of it is left",
            TransactionStatus.UNKNOWN: "its session is lost: nothing of it is left",
        }
        return ends.get(self.conn.info.transaction_status)


EXPERIMENT = pytest.StashKey[Experiment]()
