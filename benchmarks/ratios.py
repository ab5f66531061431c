"""Ratios that were measured, with the bars that they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pggit_chaos.listing import Listing, Record

__all__ = ["Ratio", "as_listing"]

_COLUMNS = ("ratio", "bar", "min", "median", "max", "holds", "note")


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One ratio, measured some times over; ``bar`` is what its median must reach."""

    name: str
    values: Sequence[float]
    bar: float | None = None
    note: str | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None where there is none."""
        return None if self.bar is None else median(self.values) >= self.bar


def as_listing(ratios: Sequence[Ratio], title: str) -> Listing:
    """Return the ratios as a table; one that misses its bar is a failure."""
    return Listing(
        name="ratios",
        title=title,
        columns=_COLUMNS,
        records=[
            Record(
                name=ratio.name,
                values={
                    "ratio": ratio.name,
                    "bar": ratio.bar,
                    "min": _digits(min(ratio.values)),
                    "median": _digits(median(ratio.values)),
                    "max": _digits(max(ratio.values)),
                    "holds": ratio.holds,
                    "note": ratio.note,
                },
                failure="the bar is missed" if ratio.holds is False else None,
            )
            for ratio in ratios
        ],
    )


def _digits(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
