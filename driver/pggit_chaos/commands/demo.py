"""The first command that a newcomer runs."""

from __future__ import annotations

from pathlib import Path

import click

from pggit_chaos import drills, listing, options, sweeps, talk
from pggit_chaos.rows import Drill
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog="Example: pggit-chaos demo --pg-bindir /usr/lib/postgresql/15/bin",
    short_help="Drill and sweep the reference target on an embedded server.",
)
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)
@options.format_name
@options.seed
def command(*, pg_bindir: Path | None, format_name: str, seed: int) -> int:
    """Show what this is: every corruption drilled, every core operation swept.

    Starts a PostgreSQL of its own, with no root, no port and no system server,
    installs the reference target and the extension there, and removes all of it
    at the end.
    """
    from pggit_chaos.chaos import Chaos
    from pggit_chaos.target import Target

    with open_workbench(Choice(pg_bindir=pg_bindir), talk.say) as bench:
        chaos = Chaos(bench.conn)
        drilled: list[Drill] = []
        swept: list[sweeps.Sweep] = []
        with talk.interruptible() as interruption:
            for category in talk.progress(drills.categories(chaos), what="drills"):
                drilled.extend(chaos.drill_all(category, seed))
            with sweeps.ground(chaos):
                for operation in talk.progress(Target(bench.conn).operations(), what="sweeps"):
                    swept.extend(sweeps.run(chaos, [operation]))
        listings = (
            drills.as_listing(drilled, bench.label),
            sweeps.as_listing(swept, bench.label),
        )
    listing.write(listings, format_name)
    return interruption.status(int(any(each.failures for each in listings)))
