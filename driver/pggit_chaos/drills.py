"""Drills of many kinds of corruption, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pggit_chaos.errors import NothingToCorruptError, UsageError, translated
from pggit_chaos.listing import Listing, Record
from pggit_chaos.rows import Drill

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos

__all__ = ["Pair", "as_listing", "as_pairs", "categories", "kinds", "run", "run_pair"]

_PAIR = "SELECT * FROM pggit_chaos.drill_pair(%s, %s, %s)"
_COLUMNS = ("kind", "detected", "detected_by", "unrelated", "healed", "elapsed")


@dataclass(frozen=True, kw_only=True)
class Pair(Drill):
    """What came of two kinds at once."""

    other: str


def categories(chaos: Chaos) -> list[str]:
    """Return the categories of the kinds of corruption that this pgGit can suffer."""
    return sorted({kind.category for kind in chaos.corruption_kinds() if kind.applies})


def kinds(chaos: Chaos, category: str | None = None) -> list[str]:
    """Return the kinds of corruption that this pgGit can suffer, those of one category or all."""
    known = chaos.corruption_kinds()
    names = sorted({kind.category for kind in known})
    if category is not None and category not in names:
        raise UsageError(
            f'category "{category}" of corruption does not exist',
            hint=f"There are {', '.join(names)}.",
        )
    return [kind.kind for kind in known if kind.applies and category in (None, kind.category)]


def run(chaos: Chaos, kind: str, seed: int = 0) -> Drill:
    """Drill one kind; where it finds nothing to corrupt, that is a drill without a verdict."""
    try:
        return chaos.drill(kind, seed)
    except NothingToCorruptError:
        return Drill(
            kind=kind, detected=None, detected_by=None, unrelated=None, healed=None, elapsed=None
        )


def run_pair(chaos: Chaos, kind: str, other: str, seed: int = 0) -> Pair:
    """Drill two kinds at once; where there are no two victims, that is no verdict either."""
    from psycopg.rows import class_row

    try:
        with translated(), chaos.conn.cursor(row_factory=class_row(Pair)) as cursor:
            (done,) = cursor.execute(_PAIR, (kind, other, seed)).fetchall()
    except NothingToCorruptError:
        return Pair(
            kind=kind,
            other=other,
            detected=None,
            detected_by=None,
            unrelated=None,
            healed=None,
            elapsed=None,
        )
    return done


def as_listing(drills: Sequence[Drill], label: str, *, physical: bool = False) -> Listing:
    """Return the drills as a list: corruption kind, detected, by which check, healed."""
    return Listing(
        name="physical" if physical else "drills",
        title=f"{'Drills of damaged files' if physical else 'Corruption drills'}: {label}",
        target=label,
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


def as_pairs(pairs: Sequence[Pair], label: str) -> Listing:
    """Return the drills of pairs as a list."""
    columns = ("kind", "other", *_COLUMNS[1:])
    return Listing(
        name="pairs",
        title=f"Corruption drills in pairs: {label}",
        target=label,
        columns=columns,
        records=[
            Record(
                name=f"{pair.kind} and {pair.other}",
                values={column: getattr(pair, column) for column in columns},
                failure=pair.failure,
            )
            for pair in pairs
        ],
    )
