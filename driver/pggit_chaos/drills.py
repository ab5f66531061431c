"""Drills of many kinds of corruption, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pggit_chaos.errors import NothingToCorruptError
from pggit_chaos.listing import Listing, Record
from pggit_chaos.rows import Drill

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos

__all__ = ["applicable_kinds", "as_listing", "run"]

_COLUMNS = ("kind", "detected", "detected_by", "unrelated", "healed", "elapsed")


def applicable_kinds(chaos: Chaos, category: str | None = None) -> list[str]:
    """Return the kinds of corruption that this pgGit can suffer."""
    return [
        kind.kind
        for kind in chaos.corruption_kinds()
        if kind.applies and category in (None, kind.category)
    ]


def run(chaos: Chaos, kinds: Iterable[str], seed: int = 0) -> Iterator[Drill]:
    """Drill each kind; one that finds nothing to corrupt yields a drill without a verdict."""
    for kind in kinds:
        try:
            yield chaos.drill(kind, seed)
        except NothingToCorruptError:
            yield Drill(
                kind=kind,
                detected=None,
                detected_by=None,
                unrelated=None,
                healed=None,
                elapsed=None,
            )


def as_listing(drills: Sequence[Drill], label: str) -> Listing:
    """Return the drills as a list: corruption kind, detected, by which check, healed."""
    return Listing(
        name="drills",
        title=f"Corruption drills: {label}",
        columns=_COLUMNS,
        records=[
            Record(
                name=drill.kind,
                values={column: getattr(drill, column) for column in _COLUMNS},
                failure=drill.failure,
            )
            for drill in drills
        ],
    )
