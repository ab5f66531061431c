"""Measure fsck() on a large pgGit: against reading all of it once, and against a tenth of it.

One throwaway server with two reference targets that large.fill() has filled.  The measure
is one sequential read of every table of pgGit with a hash of every row, in the same run.
No worker helps: what is measured is the work, not the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import click
import clocks
import large
import psycopg
from clocks import Clock
from psycopg import sql

from pggit_chaos import binaries, extension, listing, options, reference, talk
from pggit_chaos.cluster import Cluster
from pggit_chaos.listing import Listing, Record

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]

READ_BAR: Final = 4.0
TENTH_BAR: Final = 11.0
TEMP_BAR: Final = 256  # MB, of all temporary files of the session together

_SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "8GB"}
_TABLES = """
    SELECT n.nspname, c.relname
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'pggit' AND c.relkind = 'r'
"""
_CHECKS = "SELECT check_id FROM pggit_chaos.integrity_check WHERE applies ORDER BY check_id"


@contextmanager
def filled(cluster: Cluster, name: str, **numbers: int) -> Iterator[Connection]:
    """Yield a connection to a new database with so many rows, and all that it has been cached."""
    cluster.create_database(name)
    with cluster.connect(name, autocommit=True) as conn:
        reference.load(conn)
        large.fill(conn, **numbers)
        extension.install(conn)
        conn.execute("SET max_parallel_workers_per_gather = 0")
        read(conn)
        yield conn


def read(conn: Connection) -> None:
    """Read every row of pgGit once, and hash it."""
    query = sql.SQL("SELECT sum(hashtext(t::text)::bigint) FROM ONLY {} AS t")
    for names in conn.execute(_TABLES).fetchall():
        conn.execute(query.format(sql.Identifier(*names)))


def fsck(conn: Connection, check: str | None = None) -> None:
    """Run one check, or all; none may find anything."""
    checks = None if check is None else [check]
    row = conn.execute("SELECT count(*) FROM pggit_chaos.fsck(%s)", [checks]).fetchone()
    if row != (0,):
        raise AssertionError(f"a sound pgGit has {row} findings")


def seconds(conn: Connection, clock: Clock, work: Any, *arguments: Any) -> float:
    """Return the time that a piece of work takes."""
    started = clock(conn)
    work(conn, *arguments)
    return (clock(conn) - started) / 1e9


def fits(conn: Connection, megabytes: int) -> bool:
    """Answer whether fsck() runs with no more than that in temporary files at any moment."""
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT set_config('temp_file_limit', %s, true)", [f"{megabytes}MB"])
        try:
            with conn.transaction():
                fsck(conn)
        except psycopg.errors.ConfigurationLimitExceeded:
            return False
    return True


def bars(ratios: Sequence[tuple[str, float, float]], *, temp_fits: bool, title: str) -> Listing:
    """Return what was measured, with the bars that it is held against."""
    rows: list[tuple[str, float | str, float, bool]] = [
        (name, round(value, 2), bar, value <= bar) for name, value, bar in ratios
    ]
    said = "fit" if temp_fits else "do not fit"
    rows.append(("temporary files (MB)", said, TEMP_BAR, temp_fits))
    return Listing(
        name="ratios",
        title=title,
        columns=("ratio", "measured", "bar", "holds"),
        records=[
            Record(
                name=name,
                values={"ratio": name, "measured": value, "bar": bar, "holds": holds},
                failure=None if holds else "the bar is missed",
            )
            for name, value, bar, holds in rows
        ],
    )


def shares(costs: Sequence[tuple[str, float]]) -> Listing:
    """Return what each check takes, the dearest first."""
    total = sum(cost for _, cost in costs)
    return Listing(
        name="checks",
        title=f"Checks; all of them take {total:.1f} s one by one",
        columns=("check", "s", "share"),
        records=[
            Record(
                name=check,
                values={"check": check, "s": round(cost, 3), "share": f"{cost / total:.1%}"},
                failure=None,
            )
            for check, cost in sorted(costs, key=lambda pair: -pair[1])
        ],
    )


@click.command()
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)
@click.option("--commits", type=click.IntRange(10), default=1_000_000, show_default=True)
@click.option("--history", type=click.IntRange(10), default=1_000_000, show_default=True)
@click.option("--objects", type=click.IntRange(10), default=200_000, show_default=True)
@click.option("--branches", type=click.IntRange(10), default=1_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--clock", type=click.Choice(list(clocks.CLOCKS)), default=clocks.default())
@options.format_name
def command(
    *,
    pg_bindir: Path | None,
    commits: int,
    history: int,
    objects: int,
    branches: int,
    rounds: int,
    clock: str,
    format_name: str,
) -> None:
    """Print ratios and each check's share; exit status 1 where a bar is missed."""
    time = clocks.CLOCKS[clock]
    numbers = {"commits": commits, "history": history, "objects": objects, "branches": branches}
    with Cluster(programs=binaries.find(pg_bindir), settings=_SETTINGS) as cluster:
        tenth = {name: number // 10 for name, number in numbers.items()}
        talk.say("filling a tenth")
        with filled(cluster, "tenth", **tenth) as conn:
            small = [seconds(conn, time, fsck) for _ in range(rounds)]
        talk.say(f"filling {commits} commits and {history} changes on {branches} branches")
        with filled(cluster, "whole", **numbers) as conn:
            reads, checked = [], []
            for _ in range(rounds):
                reads.append(seconds(conn, time, read))
                checked.append(seconds(conn, time, fsck))
            temp_fits = fits(conn, TEMP_BAR)
            names = [name for (name,) in conn.execute(_CHECKS).fetchall()]
            costs = [(name, seconds(conn, time, fsck, name)) for name in names]
    ratios = [
        ("fsck() over one read of all", median(checked) / median(reads), READ_BAR),
        ("fsck() over that of a tenth", median(checked) / median(small), TENTH_BAR),
    ]
    title = f"fsck() of {commits} commits takes {median(checked):.1f} s by {clock} time"
    measured = bars(ratios, temp_fits=temp_fits, title=title)
    listing.write([measured, shares(costs)], format_name)
    missed = measured.failures
    talk.say(f"{missed} bars are missed" if missed else "every bar holds")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    command()
