"""How many fault points sweeps visit in a second, against a database cloned for each."""

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
    """Return the ratio of the two rates over all operations together.

    The sweep has to judge each outcome too.  The clones only have to be there and
    take the fault, and that for a few points of each operation.
    """
    points, swept, cloned = 0, 0.0, 0.0
    ratios = {}
    with place.clone(ground.HOOKED) as conn:
        for operation in Target(conn).operations():
            started = time.perf_counter()
            (sweep,) = sweeps.run(Chaos(conn), [operation])
            elapsed = time.perf_counter() - started
            if sweep.outcomes:
                alike = len(sweep.outcomes) * _clone_time(place, operation, sweep.outcomes, clones)
                ratios[operation.name] = alike / elapsed
                points += len(sweep.outcomes)
                swept += elapsed
                cloned += alike
    least, most = (choose(ratios, key=ratios.__getitem__) for choose in (min, max))
    return Ratio(
        name="fault points a second, sweep over clones",
        values=[cloned / swept],
        bar=_BAR,
        note=f"{points / swept:.0f} points a second; {ratios[least]:.1f} in {least}, "
        f"{ratios[most]:.1f} in {most}",
    )


def _clone_time(
    place: Ground, operation: Operation, outcomes: Sequence[Outcome], clones: int
) -> float:
    """Return the seconds that one point takes in a clone of its own."""
    some = outcomes[:: max(1, len(outcomes) // clones)][:clones]
    started = time.perf_counter()
    for outcome in some:
        with place.clone(ground.HOOKED) as conn:
            _disturb(conn, operation, outcome)
    return (time.perf_counter() - started) / len(some)


def _disturb(conn: psycopg.Connection[Any], operation: Operation, outcome: Outcome) -> None:
    conn.execute(_ARM, (f"error({outcome.sqlstate})", outcome.hit, outcome.hit))
    with suppress(psycopg.Error):  # how it ends is what a sweep would judge
        conn.execute(operation.statement.encode())
