"""What pgGit does in a second with hooks, over what it does without."""

from __future__ import annotations

import random
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
from pggit_chaos.target import Target

if TYPE_CHECKING:
    import psycopg

__all__ = ["Effort", "measure", "work"]

_Statement = Callable[[int], str]
_Arming = Callable[[Ground, "psycopg.Connection[Any]"], AbstractContextManager[None]]

# The operations that commit to main: a pgGit has one of them or both.
_COMMITS = ("commit on main", "create_commit")

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
    # How far a ratio is from 1 where there is nothing to measure.
    _Side(name="the same again", template=ground.PLAIN, bar=None, arming=_nothing),
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


def work(conn: psycopg.Connection[Any]) -> Mapping[str, _Statement]:
    """Return what is measured: name, and the nth statement."""
    commit = next(op for op in Target(conn).operations() if op.name in _COMMITS)
    return {
        "commit": lambda _: commit.statement,
        "CREATE TABLE": lambda n: (
            f"CREATE TABLE public.benchmark_{n} (id int PRIMARY KEY, name text)"
        ),
    }


def measure(place: Ground, effort: Effort, *, by_kind: bool) -> list[Ratio]:
    """Return the throughput on each side over that without the extension."""
    sides = list(_SIDES)
    if by_kind:
        sides += [
            _Side(name=name, template=name, bar=None, arming=_nothing)
            for name in ground.PARTLY_HOOKED
        ]
    order = random.Random(0)  # noqa: S311 no secret is drawn from it
    rounds = [_round(place, effort, sides, order) for _ in range(effort.rounds)]
    return [
        Ratio(
            name=f"{name}: {side.name}",
            values=[ratios[name][side.name] for ratios in rounds],
            bar=side.bar,
        )
        for name in rounds[0]
        for side in sides
    ]


def _round(
    place: Ground, effort: Effort, sides: Sequence[_Side], order: random.Random
) -> dict[str, dict[str, float]]:
    """Return the ratios of one round by work and side."""
    with ExitStack() as stack:
        plain = stack.enter_context(place.clone(ground.PLAIN))
        conns = {}
        for side in sides:
            conns[side.name] = stack.enter_context(place.clone(side.template))
            stack.enter_context(side.arming(place, conns[side.name]))
            work(conns[side.name])  # every session has asked the same
        return {
            name: _ratios(plain, conns, statement, effort, order)
            for name, statement in work(plain).items()
        }


def _ratios(
    plain: psycopg.Connection[Any],
    conns: Mapping[str, psycopg.Connection[Any]],
    statement: _Statement,
    effort: Effort,
    order: random.Random,
) -> dict[str, float]:
    everyone = {"": plain, **conns}
    names = list(everyone)
    size = effort.transactions + 1  # the first is not timed
    times: dict[str, list[int]] = {name: [] for name in names}
    for turn in range(_WARMING + effort.turns):
        numbers = range(turn * size, (turn + 1) * size)
        batch = [statement(number).encode() for number in numbers]
        for name in order.sample(names, len(names)):
            times[name].append(_time(everyone[name], batch, effort.clock))
    return {
        name: median(
            a / b for a, b in zip(times[""][_WARMING:], times[name][_WARMING:], strict=True)
        )
        for name in conns
    }


def _time(conn: psycopg.Connection[Any], batch: Sequence[bytes], clock: Clock) -> int:
    """Return the nanoseconds that all statements but the first take, each a transaction.

    By libpq itself: a client that does more would hide a part of what is measured.
    """
    execute = conn.pgconn.exec_
    # The first one finds the processor's caches as another side has left them.
    results = [execute(batch[0])]
    started = clock(conn)
    results += [execute(statement) for statement in batch[1:]]
    elapsed = clock(conn) - started
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise RuntimeError(result.error_message.decode())
    return elapsed
