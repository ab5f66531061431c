"""Measure what it takes to corrupt and to heal on a large pgGit, and what a drill costs there.

One throwaway server with a reference target that large.fill() has filled.  Each corruption
is healed and then rolled back.  Times are those of the server process where the system
tells them, so that what else the machine does counts little.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import click
import clocks
import large
import psycopg
from clocks import Clock

from pggit_chaos import binaries, extension, listing, options, reference, talk
from pggit_chaos.cluster import Cluster
from pggit_chaos.listing import Listing, Record
from pggit_chaos.target import Target

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]

BAR: Final = 50.0  # milliseconds
MUST_READ_ALL: Final[Mapping[str, str]] = {
    "enum_label_renamed": "reads which labels are in use",
}
_DRILLED: Final = (
    "branch_main_retired",
    "commit_message_lost",
    "history_author_lost",
    "object_hash_garbled",
    "trigger_disabled",
)
_SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "8GB"}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds that a kind took, once a seed; none where there was nothing to corrupt."""

    kind: str
    corrupt: Sequence[float]
    heal: Sequence[float]

    @property
    def failure(self) -> str | None:
        """Say that the bar is missed; None where there is none."""
        if not self.corrupt or self.kind in MUST_READ_ALL:
            return None
        worst = max(median(self.corrupt), median(self.heal))
        return f"over {BAR:.0f} ms" if worst > BAR else None


def measure(conn: Connection, kind: str, turns: int, clock: Clock) -> Cost:
    """Corrupt and heal with one seed after the other; each is rolled back."""
    corrupt, heal = [], []
    for seed in range(turns):
        with conn.transaction(force_rollback=True):
            try:
                started = clock(conn)
                row = conn.execute("SELECT pggit_chaos.corrupt(%s, %s)", [kind, seed]).fetchone()
                corrupted = clock(conn)
            except psycopg.DatabaseError as error:
                if error.sqlstate != "PC004":
                    raise
                break
            conn.execute("SELECT pggit_chaos.heal(%s)", row)
            corrupt.append((corrupted - started) / 1e6)
            heal.append((clock(conn) - corrupted) / 1e6)
    return Cost(kind=kind, corrupt=corrupt, heal=heal)


def as_listing(costs: Sequence[Cost], title: str) -> Listing:
    """Return the costs as a table, the dearest first."""
    return Listing(
        name="corruptions",
        title=title,
        columns=("kind", "corrupt_ms", "heal_ms", "holds", "note"),
        records=[
            Record(
                name=cost.kind,
                values={
                    "kind": cost.kind,
                    "corrupt_ms": _median(cost.corrupt),
                    "heal_ms": _median(cost.heal),
                    "holds": cost.failure is None if cost.corrupt else None,
                    "note": MUST_READ_ALL.get(cost.kind) if cost.corrupt else "nothing to corrupt",
                },
                failure=cost.failure,
            )
            for cost in sorted(costs, key=lambda cost: -median(cost.corrupt or [0]))
        ],
    )


def drills(conn: Connection, clock: Clock) -> Listing:
    """Compare drills with one fsck() over everything; no bar."""
    started = clock(conn)
    conn.execute("SELECT count(*) FROM pggit_chaos.fsck()")
    whole = clock(conn) - started
    records = []
    for kind in _DRILLED:
        started = clock(conn)
        conn.execute("SELECT * FROM pggit_chaos.drill(%s)", [kind])
        drill = clock(conn) - started
        values = {"kind": kind, "s": round(drill / 1e9, 1), "over_fsck": round(drill / whole, 2)}
        records.append(Record(name=kind, values=values, failure=None))
    return Listing(
        name="drills",
        title=f"Drills; fsck() takes {whole / 1e9:.1f} s",
        columns=("kind", "s", "over_fsck"),
        records=records,
    )


def _median(values: Sequence[float]) -> float | None:
    return round(median(values), 1) if values else None


@click.command()
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)
@click.option("--commits", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--history", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--objects", type=click.IntRange(1), default=200_000, show_default=True)
@click.option("--branches", type=click.IntRange(1), default=1_000, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=3, show_default=True)
@click.option("--clock", type=click.Choice(list(clocks.CLOCKS)), default=clocks.default())
@options.format_name
def command(
    *,
    pg_bindir: Path | None,
    commits: int,
    history: int,
    objects: int,
    branches: int,
    turns: int,
    clock: str,
    format_name: str,
) -> None:
    """Print what each kind takes and whether the bar holds; exit status 1 where it is missed."""
    time = clocks.CLOCKS[clock]
    programs = binaries.find(pg_bindir)
    with Cluster(programs=programs, settings=_SETTINGS) as cluster:
        cluster.create_database("large")
        with cluster.connect("large", autocommit=True) as conn:
            reference.load(conn)
            talk.say(f"filling {commits} commits and {history} changes on {branches} branches")
            large.fill(conn, commits=commits, history=history, objects=objects, branches=branches)
            Target(conn).furnish(steps=40)
            conn.execute("VACUUM (ANALYZE)")
            extension.install(conn)
            extension.enable(conn)
            kinds = conn.execute(
                "SELECT k.kind FROM pggit_chaos.corruption_kind AS k WHERE k.applies ORDER BY 1"
            ).fetchall()
            talk.say(f"corrupting and healing in {len(kinds)} ways")
            costs = [measure(conn, kind, turns, time) for (kind,) in kinds]
            measured = as_listing(costs, f"Corruptions of {commits} commits, by {clock} time")
            talk.say(f"drilling {len(_DRILLED)} kinds")
            listing.write([measured, drills(conn, time)], format_name)
    missed = measured.failures
    talk.say(f"{missed} bars are missed" if missed else "every bar holds")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    command()
