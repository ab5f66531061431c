"""What a hook costs that nobody has armed, in one session and without a client."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import ground
from clocks import Clock
from ground import Ground
from ratios import Ratio

if TYPE_CHECKING:
    import psycopg

__all__ = ["measure"]

_LOOP = "DO $loop$ BEGIN FOR i IN 1 .. {count} LOOP {body} END LOOP; END $loop$"
_EMPTY = "NULL;"
_HIT = "IF pggit_chaos.hit('pggit.a_function()') THEN END IF;"
_CALL = "IF pg_temp.does_nothing('pggit.a_function()') THEN END IF;"
_NO_OP = """
CREATE FUNCTION pg_temp.does_nothing(failpoint text) RETURNS boolean LANGUAGE plpgsql AS
$function$ BEGIN RETURN false; END; $function$
"""


def measure(place: Ground, *, rounds: int, count: int, clock: Clock) -> Ratio:
    """Return the cost of a disarmed hit() over that of calling a function that does nothing.

    It is a cost: smaller is better, and it has no bar.
    """
    with place.clone(ground.HOOKED) as conn:
        with conn.transaction():
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(_NO_OP)
        costs = [_costs(conn, count, clock) for _ in range(rounds)]
    hit, call = (median(column) / count for column in zip(*costs, strict=True))
    return Ratio(
        name="cost of a disarmed hit over a no-op call",
        values=[hit / call for hit, call in costs],
        note=f"{hit:.0f} ns over {call:.0f} ns",
    )


def _costs(conn: psycopg.Connection[Any], count: int, clock: Clock) -> tuple[int, int]:
    """Return the nanoseconds of all hits and of all calls."""
    empty, hit, call = (_time(conn, body, count, clock) for body in (_EMPTY, _HIT, _CALL))
    return hit - empty, call - empty


def _time(conn: psycopg.Connection[Any], body: str, count: int, clock: Clock) -> int:
    statement = _LOOP.format(count=count, body=body).encode()
    started = clock(conn)
    conn.execute(statement)
    return clock(conn) - started
