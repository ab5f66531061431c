"""Measure what pggit_chaos costs pgGit, and how fast it sweeps: ratios from one run.

Both sides of each ratio run in turn on one throwaway server.  Times themselves say
more about the machine than about the extension, and so only ratios are told.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import clocks
import hit_path
import passed
import ratios
import sweeping
import throughput
from ground import make_ground
from throughput import Effort

from pggit_chaos import binaries, listing, options, talk
from pggit_chaos.listing import Listing


@click.command()
@click.option(
    "--pggit-source",
    "sources",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A checkout of pgGit to measure instead of the reference target; may be repeated.",
)
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=20, show_default=True)
@click.option("--transactions", type=click.IntRange(1), default=10, show_default=True)
@click.option("--loops", type=click.IntRange(1), default=200_000, show_default=True)
@click.option("--clones", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--clock",
    type=click.Choice(list(clocks.CLOCKS)),
    default=clocks.default(),
    show_default=True,
    help="The time of the server process or that of the wall; sweeps go by the wall.",
)
@click.option("--by-kind", is_flag=True, help="Tell what each kind of hook costs, too.")
@options.format_name
def command(
    *,
    sources: tuple[Path, ...],
    pg_bindir: Path | None,
    rounds: int,
    turns: int,
    transactions: int,
    loops: int,
    clones: int,
    clock: str,
    by_kind: bool,
    format_name: str,
) -> None:
    """Print ratios and whether the bars hold; exit status 1 where one is missed."""
    programs = binaries.find(pg_bindir)
    effort = Effort(
        rounds=rounds, turns=turns, transactions=transactions, clock=clocks.CLOCKS[clock]
    )
    listings: list[Listing] = []
    for source in sources or (None,):
        with make_ground(source, programs, by_kind=by_kind) as place:
            talk.say(f"measuring {place.label}")
            measured = [
                *throughput.measure(place, effort, by_kind=by_kind),
                hit_path.measure(place, rounds=rounds, count=loops, clock=effort.clock),
                sweeping.measure(place, clones=clones),
            ]
            listings.append(ratios.as_listing(measured, f"Ratios: {place.label}"))
            if by_kind:
                listings.append(passed.as_listing(place))
    listing.write(listings, format_name)
    missed = sum(each.failures for each in listings)
    talk.say(f"{missed} bars are missed" if missed else "every bar holds")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    command()
