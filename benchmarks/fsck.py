"""Measure fsck() on a large pgGit: against reading all of it once, and against a tenth of it.

One throwaway server with two reference targets that large.fill() has filled.  The measure
is one sequential read of every table that fsck() reads, with a hash of every row, in the same
run.  No worker helps: what is measured is the work, not the machine.  All of it is done twice:
with nothing recorded to compare with, and after record_digests().
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
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
MEMORY_BAR: Final = 64  # MB: sixteen times work_mem, as many nodes as a plan may have that sort
_LOOK_EVERY: Final = 0.005  # seconds, at the memory of the server process

_SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "8GB"}
_TABLES = """
    SELECT n.nspname, c.relname
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE (n.nspname = 'pggit' OR (n.nspname, c.relname) = ('pggit_chaos', '_recorded_digest'))
       AND c.relkind = 'r'
"""
_CHECKS = "SELECT check_id FROM pggit_chaos.integrity_check WHERE applies ORDER BY check_id"


@dataclass(frozen=True, kw_only=True)
class Turns:
    """Seconds that reading all of it and checking all of it took, once a round."""

    reads: Sequence[float]
    checks: Sequence[float]


@contextmanager
def filled(cluster: Cluster, name: str, **numbers: int) -> Iterator[Connection]:
    """Yield a connection to a new database with so many rows, and all that it has been cached."""
    cluster.create_database(name)
    with session(cluster, name) as conn:
        reference.load(conn)
        large.fill(conn, **numbers)
        extension.install(conn)
        extension.enable(conn)
        read(conn)
        yield conn


def session(cluster: Cluster, database: str) -> Connection:
    """Open a session that has no help of workers."""
    alone = "-c max_parallel_workers_per_gather=0"
    return cluster.connect(database, autocommit=True, options=alone)


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


def record(conn: Connection) -> None:
    """Record the digests of all that there is."""
    conn.execute("SELECT * FROM pggit_chaos.record_digests()")


def size(conn: Connection) -> str:
    """Return what the digests take on disk, without and with the index."""
    row = conn.execute("""
        SELECT pg_size_pretty(pg_table_size('pggit_chaos._recorded_digest')),
               pg_size_pretty(pg_total_relation_size('pggit_chaos._recorded_digest'))
    """).fetchone()
    assert row is not None
    return f"{row[0]}, with its index {row[1]}"


def turns(conn: Connection, clock: Clock, rounds: int) -> Turns:
    """Read all of it and check all of it, in turn."""
    reads, checks = [], []
    for _ in range(rounds):
        reads.append(seconds(conn, clock, read))
        checks.append(seconds(conn, clock, fsck))
    return Turns(reads=reads, checks=checks)


def memory(cluster: Cluster, database: str) -> float | None:
    """Return the most MB of its own that a new session has in fsck(); None where nobody tells.

    Shared buffers are not its own.  A session that has run fsck() already would not grow again.
    """
    with session(cluster, database) as conn, ThreadPoolExecutor(1) as pool:
        status = Path(f"/proc/{conn.info.backend_pid}/status")
        if not status.exists():
            return None
        running = pool.submit(fsck, conn)
        most = _own_kilobytes(status)
        while wait([running], timeout=_LOOK_EVERY).not_done:
            most = max(most, _own_kilobytes(status))
        running.result()
    return most / 1024


def _own_kilobytes(status: Path) -> int:
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


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


def bars(
    ratios: Sequence[tuple[str, float, float]], *, temp_fits: bool, own: float | None, title: str
) -> Listing:
    """Return what was measured, with the bars that it is held against."""
    rows: list[tuple[str, float | str, float, bool]] = [
        (name, round(value, 2), bar, value <= bar) for name, value, bar in ratios
    ]
    said = "fit" if temp_fits else "do not fit"
    rows.append(("temporary files (MB)", said, TEMP_BAR, temp_fits))
    if own is not None:
        rows.append(("memory (MB)", round(own, 1), MEMORY_BAR, own <= MEMORY_BAR))
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
            small = turns(conn, time, rounds)
            record(conn)
            conn.execute("VACUUM (ANALYZE)")
            small_recorded = turns(conn, time, rounds)
        talk.say(f"filling {commits} commits and {history} changes on {branches} branches")
        with filled(cluster, "whole", **numbers) as conn:
            whole = turns(conn, time, rounds)
            talk.say("recording digests")
            recording = seconds(conn, time, record)
            conn.execute("VACUUM (ANALYZE)")
            whole_recorded = turns(conn, time, rounds)
            temp_fits, own, digests = fits(conn, TEMP_BAR), memory(cluster, "whole"), size(conn)
            names = [name for (name,) in conn.execute(_CHECKS).fetchall()]
            costs = [(name, seconds(conn, time, fsck, name)) for name in names]
    ratios = [
        (f"fsck(){what} over {whom}", median(one) / median(other), bar)
        for what, all_of_it, part in (
            ("", whole, small),
            (" with digests", whole_recorded, small_recorded),
        )
        for whom, one, other, bar in (
            ("one read of all", all_of_it.checks, all_of_it.reads, READ_BAR),
            ("that of a tenth", all_of_it.checks, part.checks, TENTH_BAR),
        )
    ]
    took, with_digests = median(whole.checks), median(whole_recorded.checks)
    title = (
        f"fsck() of {commits} commits takes {took:.1f} s by {clock} time, "
        f"{with_digests:.1f} s with digests"
    )
    measured = bars(ratios, temp_fits=temp_fits, own=own, title=title)
    listing.write([measured, shares(costs)], format_name)
    talk.say(f"record_digests() takes {recording:.1f} s; the digests take {digests}")
    missed = measured.failures
    talk.say(f"{missed} bars are missed" if missed else "every bar holds")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    command()
