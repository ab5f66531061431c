"""Sweeps of pgGit's operations, each on the same ground, in a transaction that is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pggit_chaos.listing import Listing, Record
from pggit_chaos.operations import Operation
from pggit_chaos.rows import OUTCOMES, Outcome

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos

__all__ = ["Sweep", "as_hits", "as_listing", "ground", "run"]

SQLSTATES = ("40001", "57014")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The outcomes of one operation; ``error`` where it fails without any fault."""

    operation: Operation
    outcomes: Sequence[Outcome] = ()
    error: str | None = None

    @property
    def counts(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(outcome.outcome for outcome in self.outcomes)

    @property
    def failure(self) -> str | None:
        """Name what is worse than tolerated; what cannot be swept is not clean either."""
        if self.error is not None:
            return f"fails by itself: {self.error}"
        bad = Counter(o.outcome for o in self.outcomes if o.failure is not None)
        return ", ".join(f"{count} {name}" for name, count in bad.items()) or None


@contextmanager
def ground(chaos: Chaos) -> Iterator[None]:
    """Have hooks and the ground of the core operations for the block, then undo it all.

    All of it is one transaction: whatever happens to this process, pgGit is left
    as it was.
    """
    from pggit_chaos.target import Target

    with chaos.conn.transaction(force_rollback=True):
        # Hooks come last: else what the ground wrote would pass its COMMIT
        # failpoints in each sweep.
        chaos.uninstall_hooks()
        Target(chaos.conn).prepare()
        chaos.install_hooks()
        yield


def run(
    chaos: Chaos, operations: Iterable[Operation], sqlstates: Sequence[str] = SQLSTATES
) -> Iterator[Sweep]:
    """Sweep each operation."""
    for operation in operations:
        error = _failure_without_fault(chaos, operation)
        if error is None:
            outcomes = chaos.sweep(operation.statement, sqlstates)
            yield Sweep(operation=operation, outcomes=outcomes)
        else:
            yield Sweep(operation=operation, error=error)


def _failure_without_fault(chaos: Chaos, operation: Operation) -> str | None:
    import psycopg

    try:
        with chaos.conn.transaction(force_rollback=True):
            chaos.conn.execute(operation.statement)
    except psycopg.Error as error:
        return f"{error.sqlstate}: {error.diag.message_primary}"
    return None


def as_listing(sweeps: Sequence[Sweep], label: str) -> Listing:
    """Return how often each operation came to each outcome."""
    columns = ("operation", "hits", *OUTCOMES, "note")
    return Listing(
        name="sweeps",
        title=f"Sweeps: {label}",
        target=label,
        columns=columns,
        records=[
            Record(
                name=sweep.operation.name,
                values={
                    "operation": sweep.operation.name,
                    "hits": len({outcome.hit for outcome in sweep.outcomes}),
                    **{outcome: sweep.counts[outcome] for outcome in OUTCOMES},
                    "note": f"fails by itself: {sweep.error}" if sweep.error else None,
                },
                failure=sweep.failure,
            )
            for sweep in sweeps
        ],
    )


def as_hits(sweeps: Sequence[Sweep], label: str) -> Listing:
    """Return every fault of every sweep with its outcome."""
    columns = (
        *("operation", "hit", "failpoint", "sqlstate"),
        *("outcome", "seen_sqlstate", "detail"),
    )
    return Listing(
        name="hits",
        title=f"Sweeps, hit by hit: {label}",
        target=label,
        columns=columns,
        records=[
            Record(
                name=f"{sweep.operation.name} hit {outcome.hit} {outcome.sqlstate}",
                values={
                    "operation": sweep.operation.name,
                    **{column: getattr(outcome, column) for column in columns[1:]},
                },
                failure=outcome.failure,
            )
            for sweep in sweeps
            for outcome in sweep.outcomes
        ],
    )
