"""How many fault points a sweep visits in a second, against a database cloned for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ground
import psycopg
from ground import Ground
from ratios import Ratio

from pggit_chaos import sweeps
from pggit_chaos.chaos import Chaos
from pggit_chaos.target import Target

if TYPE_CHECKING:
    from pggit_chaos.operations import Operation
    from pggit_chaos.rows import Outcome

__all__ = ["measure"]

_BAR = 10.0
_ARM = "SELECT pggit_chaos.arm('*', %s, start_hit => %s, end_hit => %s)"


def measure(place: Ground, *, clones: int) -> Ratio:
    """Return the ratio of the two rates, one value an operation.

    The sweep has to judge each outcome too.  The clones only have to be there and
    take the fault, and that for a few points of each operation.
    """
    ratios = []
    points, seconds = 0, 0.0
    with place.clone(ground.HOOKED) as conn:
        for operation in Target(conn).operations():
            started = time.perf_counter()
            (swept,) = sweeps.run(Chaos(conn), [operation])
            elapsed = time.perf_counter() - started
            if swept.outcomes:
                rate = len(swept.outcomes) / elapsed
                ratios.append(rate / _clone_rate(place, operation, swept.outcomes, clones))
                points, seconds = points + len(swept.outcomes), seconds + elapsed
    return Ratio(
        name="fault points a second, sweep over clones",
        values=ratios,
        bar=_BAR,
        note=f"{points / seconds:.0f} points a second in {len(ratios)} operations",
    )


def _clone_rate(
    place: Ground, operation: Operation, outcomes: Sequence[Outcome], clones: int
) -> float:
    some = outcomes[:: max(1, len(outcomes) // clones)][:clones]
    started = time.perf_counter()
    for outcome in some:
        with place.clone(ground.HOOKED) as conn:
            _disturb(conn, operation, outcome)
    return len(some) / (time.perf_counter() - started)


def _disturb(conn: psycopg.Connection[Any], operation: Operation, outcome: Outcome) -> None:
    conn.execute(_ARM, (f"error({outcome.sqlstate})", outcome.hit, outcome.hit))
    with suppress(psycopg.Error):  # how it ends is what a sweep would judge
        conn.execute(operation.statement.encode())
