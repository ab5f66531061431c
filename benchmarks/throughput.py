"""What pgGit does in a second with hooks, over what it does without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import ground
from clocks import Clock
from ground import Ground
from psycopg.pq import ExecStatus
from ratios import Ratio

from pggit_chaos.chaos import Chaos

if TYPE_CHECKING:
    import psycopg

__all__ = ["WORK", "Effort", "measure"]

_Statement = Callable[[int], str]
_Arming = Callable[[Ground, "psycopg.Connection[Any]"], AbstractContextManager[None]]

WORK: Mapping[str, _Statement] = {
    "commit_changes": lambda n: f"SELECT pggit.commit_changes('main', 'benchmark {n}')",
    "CREATE TABLE": lambda n: f"CREATE TABLE public.benchmark_{n} (id int PRIMARY KEY, name text)",
}
"""What is measured: name, and the nth statement."""

# Turns that do not count: they fill the caches of each session.
_WARMING = 2

# No work here comes by, and every pgGit has it.
_ELSEWHERE = "ddl.CREATE CONVERSION.end"


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much to measure.

    A round has fresh databases and gives one ratio: the median of those of its
    turns.  In a turn each side has a go at some transactions, one side after the
    other.  Many short turns bear it best that the machine does other things, too.
    """

    rounds: int
    turns: int
    transactions: int
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class _Side:
    name: str
    template: str
    bar: float | None
    arming: _Arming


def _nothing(_: Ground, __: psycopg.Connection[Any]) -> AbstractContextManager[None]:
    return nullcontext()


@contextmanager
def _armed_here(_: Ground, conn: psycopg.Connection[Any]) -> Iterator[None]:
    with Chaos(conn).fault(_ELSEWHERE):
        yield


@contextmanager
def _armed_everywhere(_: Ground, conn: psycopg.Connection[Any]) -> Iterator[None]:
    with Chaos(conn).fault(_ELSEWHERE, scope="database"):
        yield


@contextmanager
def _armed_for_another(place: Ground, conn: psycopg.Connection[Any]) -> Iterator[None]:
    # Of all that happens: only the session tells it from what is measured.
    with (
        place.cluster.connect(conn.info.dbname) as other,
        Chaos(conn).fault("pggit.*", scope=f"pid:{other.info.backend_pid}"),
    ):
        yield


_SIDES = (
    _Side(name="no hooks", template=ground.EXTENSION, bar=0.98, arming=_nothing),
    _Side(name="hooks, nothing armed", template=ground.HOOKED, bar=0.90, arming=_nothing),
    _Side(name="armed elsewhere", template=ground.HOOKED, bar=0.85, arming=_armed_here),
    _Side(
        name="armed elsewhere, database", template=ground.HOOKED, bar=0.85, arming=_armed_everywhere
    ),
    _Side(
        name="armed for another session",
        template=ground.HOOKED,
        bar=0.85,
        arming=_armed_for_another,
    ),
)


def measure(place: Ground, effort: Effort, *, by_kind: bool) -> list[Ratio]:
    """Return the throughput on each side over that without the extension."""
    sides = list(_SIDES)
    if by_kind:
        sides += [
            _Side(name=name, template=name, bar=None, arming=_nothing)
            for name in ground.PARTLY_HOOKED
        ]
    rounds = [_round(place, effort, sides) for _ in range(effort.rounds)]
    return [
        Ratio(
            name=f"{work}: {side.name}",
            values=[ratios[work][side.name] for ratios in rounds],
            bar=side.bar,
        )
        for work in WORK
        for side in sides
    ]


def _round(place: Ground, effort: Effort, sides: Sequence[_Side]) -> dict[str, dict[str, float]]:
    """Return the ratios of one round by work and side."""
    with ExitStack() as stack:
        plain = stack.enter_context(place.clone(ground.PLAIN))
        conns = {}
        for side in sides:
            conns[side.name] = stack.enter_context(place.clone(side.template))
            stack.enter_context(side.arming(place, conns[side.name]))
        return {work: _ratios(plain, conns, statement, effort) for work, statement in WORK.items()}


def _ratios(
    plain: psycopg.Connection[Any],
    conns: Mapping[str, psycopg.Connection[Any]],
    statement: _Statement,
    effort: Effort,
) -> dict[str, float]:
    everyone = {"": plain, **conns}
    names = list(everyone)
    times: dict[str, list[int]] = {name: [] for name in names}
    for turn in range(_WARMING + effort.turns):
        batch = [
            statement(turn * effort.transactions + n).encode() for n in range(effort.transactions)
        ]
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(_time(everyone[name], batch, effort.clock))
    return {
        name: median(
            a / b for a, b in zip(times[""][_WARMING:], times[name][_WARMING:], strict=True)
        )
        for name in conns
    }


def _time(conn: psycopg.Connection[Any], batch: Sequence[bytes], clock: Clock) -> int:
    """Return the nanoseconds that the statements take, each a transaction of its own.

    By libpq itself: a client that does more would hide a part of what is measured.
    """
    execute = conn.pgconn.exec_
    started = clock(conn)
    results = [execute(statement) for statement in batch]
    elapsed = clock(conn) - started
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise RuntimeError(result.error_message.decode())
    return elapsed
