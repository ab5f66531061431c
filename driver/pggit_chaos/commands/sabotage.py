"""Sabotage: bugs put into the reference target, to see whether the suite notices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pggit_chaos import listing, measurement, options, suite_run
from pggit_chaos import sabotage as sabotages
from pggit_chaos.listing import Listing, Record
from pggit_chaos.sabotage import Sabotage


@click.command(
    epilog="""\b
Examples:
  pggit-chaos sabotage --jobs 2
  pggit-chaos sabotage commit_unlocked head_cut --own
  pggit-chaos sabotage ./my_bug.sql --tests --format markdown
""",
    short_help="Put bugs into the reference target and see which tests notice.",
)
@click.argument("names", nargs=-1, metavar="[NAME|FILE.sql]...")
@click.option("--list", "list_only", is_flag=True, help="List the sabotages, and run nothing.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Runs at once.")
@click.option("--own", is_flag=True, help="Run only tests of the sabotage's own category.")
@click.option("--first", is_flag=True, help="End each run at the first test that notices.")
@click.option("--tests", "every_test", is_flag=True, help="List who noticed, test by test, too.")
@click.option("-k", "expression", metavar="EXPR", help="Run only tests that match, as in pytest.")
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Runs without a sabotage; how stable the suite is takes more than one.",
)
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start throwaway servers with.",
)
@options.format_name
def command(
    *,
    names: tuple[str, ...],
    list_only: bool,
    jobs: int,
    own: bool,
    first: bool,
    every_test: bool,
    expression: str | None,
    repeat: int,
    pg_bindir: Path | None,
    format_name: str,
) -> int:
    """Run the suite's smoke level against each sabotage, by default all of them.

    A sabotage is the reference target with one bug put in.  A test notices if it
    passes on the reference target as it is and fails with the bug.  The first
    run is one without: there every test must pass.  Exit status 1 where one does
    not, where nobody notices a sabotage, or no test of its own category.
    """
    chosen = [sabotages.find(name) for name in names] or sabotages.all()
    if list_only:
        listing.write([_as_listing(chosen)], format_name)
        return 0
    suite_run.require_modules()
    passed_on = [
        *(["--chaos-pg-bindir", str(pg_bindir)] if pg_bindir is not None else []),
        *(["-k", expression] if expression is not None else []),
    ]
    measured = measurement.Measurement(
        chosen, modes=measurement.modes(pg_bindir), arguments=passed_on, own=own, first=first
    )
    try:
        measured.run(jobs=jobs, repeat=repeat)
    finally:
        # Whatever ended it: what was found out until then is told.
        listings = measured.listings(every_test=every_test)
        listing.write(listings, format_name)
    return int(any(each.failures for each in listings))


def _as_listing(chosen: Sequence[Sabotage]) -> Listing:
    columns = ("sabotage", "category", "summary")
    return Listing(
        name="sabotages",
        title="Sabotages",
        columns=columns,
        records=[
            Record(name=each.name, values=dict(zip(columns, values, strict=True)))
            for each in chosen
            for values in [(each.name, each.category, each.summary)]
        ],
    )
