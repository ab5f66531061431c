"""What the SQL functions return, one class a row type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

__all__ = [
    "OUTCOMES",
    "Corruption",
    "CorruptionKind",
    "Counters",
    "Digest",
    "Drill",
    "Finding",
    "HookCount",
    "IntegrityCheck",
    "Outcome",
    "TraceHit",
]

OUTCOMES: Final = (
    "unreached",
    "surfaced",
    "tolerated",
    "masked",
    "leaked",
    "lost",
    "torn",
)
"""Every outcome of a sweep, worst last."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row that a check returned."""

    check_id: str
    severity: str
    relation: str
    row_identity: str
    message: str
    action: str
    repairable: bool


@dataclass(frozen=True, kw_only=True)
class IntegrityCheck:
    """One integrity rule; it only says something where it applies to this pgGit.

    Where it is ``sound``, a finding is damage on every pgGit; else it is a promise
    that some release of pgGit breaks by itself in ordinary use.
    """

    check_id: str
    category: str
    severity: str
    sound: bool
    summary: str
    repairable: bool
    applies: bool


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A damage that is present."""

    corruption_id: int
    kind: str
    relation: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class CorruptionKind:
    """One kind of damage, and the checks that must find it."""

    kind: str
    category: str
    summary: str
    detected_by: list[str]
    applies: bool


@dataclass(frozen=True, kw_only=True)
class Drill:
    """What came of a drill; without a verdict where there was nothing to corrupt."""

    kind: str
    detected: bool | None
    detected_by: list[str] | None
    unrelated: list[str] | None
    healed: bool | None
    elapsed: timedelta | None

    @property
    def failure(self) -> str | None:
        """Say what went wrong; None where nothing did, or where nothing was done."""
        if self.detected is None:
            return None
        if not self.detected:
            return "not detected"
        if self.unrelated:
            return f"unrelated checks spoke: {', '.join(self.unrelated)}"
        return None if self.healed else "not healed"


@dataclass(frozen=True, kw_only=True)
class TraceHit:
    """One failpoint that a statement passed, and the call stack there."""

    hit: int
    failpoint: str
    stack: str | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one fault at one hit."""

    hit: int
    failpoint: str
    sqlstate: str
    outcome: str
    seen_sqlstate: str | None
    detail: str | None

    @property
    def failure(self) -> str | None:
        """Say what went wrong; None for whatever is no worse than ``tolerated``."""
        if OUTCOMES.index(self.outcome) <= OUTCOMES.index("tolerated"):
            return None
        return f"{self.outcome}: {self.detail or self.seen_sqlstate or 'no error was seen'}"


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What a fault has counted."""

    hits: int
    fired: int


@dataclass(frozen=True, kw_only=True)
class Digest:
    """The hash of one relation's rows, or of one group of definitions."""

    relation: str
    row_count: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class HookCount:
    """How many hooks of one kind are in place, and how many objects could not be hooked."""

    kind: str
    installed: int
    skipped: int
