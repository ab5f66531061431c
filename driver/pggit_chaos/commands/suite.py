"""The suite: tests that pgGit keeps its promises while things go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pggit_chaos import listing, options, suite_run
from pggit_chaos.errors import ServerError, UsageError
from pggit_chaos.listing import Listing, Record
from pggit_chaos.sabotage import CATEGORIES
from pggit_chaos.suite_run import Plan, Run
from pggit_chaos.workbench import Choice

if TYPE_CHECKING:
    from pggit_chaos.journal import Entry

LEVELS: Final = {
    "smoke": "chaos and not slow and not destructive",
    "full": "chaos",
    "weekly": "chaos",
}
OUTCOMES: Final = ("passed", "failed", "skipped")
PASSED, FAILED, INTERRUPTED, NOTHING_COLLECTED = 0, 1, 2, 5  # pytest's exit statuses


@click.command(
    epilog="""\b
Examples:
  pggit-chaos suite --pggit-source ../pgGit
  pggit-chaos suite --dsn "$DSN" --level full --jobs 4 --format junit > suite.xml
  pggit-chaos suite -k deadlock -- --chaos-must-fire -x
""",
    short_help="Run the tests that pgGit keeps its promises while things go wrong.",
)
@click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST_ARGUMENT...]")
@click.option(
    "--level",
    type=click.Choice(tuple(LEVELS)),
    default="smoke",
    show_default=True,
    help="How much: smoke takes a minute or two; weekly tries many more examples.",
)
@click.option("-k", "expression", metavar="EXPR", help="Run only tests that match, as in pytest.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Tests at once.")
@click.option("--tests", "every_test", is_flag=True, help="List every test, not only what failed.")
@click.option("--metrics", "with_metrics", is_flag=True, help="List what the suite is worth, too.")
@options.choice
@options.format_name
def command(
    *,
    pytest_arguments: tuple[str, ...],
    level: str,
    expression: str | None,
    jobs: int,
    every_test: bool,
    with_metrics: bool,
    choice: Choice,
    format_name: str,
) -> int:
    """Run the chaos suite, by default against the reference target.

    What pytest says goes to stderr, and then it is listed on stdout how many tests
    there were of each category and which of them failed.  With --dsn the tests run
    in copies of that database, which nobody else may be connected to; the copies
    are dropped again.  Exit status 1 if a test failed.
    """
    suite_run.require_modules()
    from pggit_chaos import journal
    from pggit_chaos.plugin import provision
    from pggit_chaos.plugin.options import Options

    chosen = Options(dsn=choice.dsn, pggit_source=choice.pggit_source, pg_bindir=choice.pg_bindir)
    provision.check(chosen)
    target = chosen.target or "the reference target"
    arguments = [
        *("-m", LEVELS[level], f"--hypothesis-profile={level}"),
        *(["-k", expression] if expression is not None else []),
        *(["-n", str(jobs)] if jobs > 1 else []),
        *_target(choice),
        *pytest_arguments,
    ]
    with tempfile.TemporaryDirectory(prefix="pggit-chaos-suite-") as directory:
        written = Path(directory, "journal")
        written.touch()
        began = time.monotonic()
        status = _run([*arguments, f"--chaos-journal={written}"])
        seconds = time.monotonic() - began
        entries = journal.read(written)
    if status == NOTHING_COLLECTED:
        raise UsageError("no test matches", hint="pggit-chaos suite -- --collect-only -q")
    # A list of failures alone would be a JUnit file in which nothing ever passed.
    listed = [each for each in entries if every_test or each.failed or format_name == "junit"]
    listings = [_by_category(entries, level, target)] if format_name != "junit" else []
    if listed or format_name in ("json", "junit"):
        listings.append(_by_test(listed, target))
    if with_metrics and entries:
        from pggit_chaos import measurement

        run = Run(plan=Plan(label=level), entries=tuple(entries), seconds=seconds)
        listings += measurement.figures(run, measurement.modes(choice.pg_bindir))
    listing.write(listings, format_name)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status not in (PASSED, FAILED):
        raise ServerError(f"pytest could not run the suite (its status was {status})")
    return int(status == FAILED)


def _target(choice: Choice) -> list[str]:
    given = {
        "--chaos-dsn": choice.dsn,
        "--chaos-pggit-source": choice.pggit_source,
        "--chaos-pg-bindir": choice.pg_bindir,
    }
    paths = {
        name: Path(value).absolute() if isinstance(value, Path) else value
        for name, value in given.items()
    }
    return [f"{name}={value}" for name, value in paths.items() if value is not None]


def _run(arguments: Sequence[str]) -> int:
    """Run pytest to its end; Ctrl-C ends it as it does without us: it cleans up first."""
    suite = suite_run.location()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", str(suite), "-c", str(suite / "pytest.ini")),
            # The suite may lie where nothing can be written to.
            *("-p", "pggit_chaos.journal", "-p", "no:cacheprovider"),
            *arguments,
        ],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        env={**os.environ, "PYTHONPATH": suite_run.python_path()},
        start_new_session=True,  # a terminal would interrupt it a second time
    )
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)


def _by_category(entries: Sequence[Entry], level: str, target: str) -> Listing:
    """Return how many tests there were; one that has several categories counts for each."""
    columns = ("category", "tests", *OUTCOMES, "seconds")
    records = []
    for category in (*CATEGORIES, "all"):
        of_it = [entry for entry in entries if category in (*entry.markers, "all")]
        counts = Counter("failed" if entry.failed else entry.outcome for entry in of_it)
        values = {
            "category": category,
            "tests": len(of_it),
            **{outcome: counts[outcome] for outcome in OUTCOMES},
            "seconds": round(sum(entry.seconds for entry in of_it), 1),
        }
        records.append(Record(name=category, values=values))
    title = f"Suite, level {level}: {target}"
    return Listing(name="suite", title=title, columns=columns, records=records, target=target)


def _by_test(entries: Sequence[Entry], target: str) -> Listing:
    return Listing(
        name="tests",
        title="Tests",
        columns=("test", "outcome", "seconds", "message"),
        records=[
            Record(
                name=entry.nodeid,
                values={
                    "test": entry.nodeid,
                    "outcome": entry.outcome,
                    "seconds": entry.seconds,
                    "message": _first_line(entry.message),
                },
                failure=(entry.message or "it ended the run") if entry.failed else None,
            )
            for entry in entries
        ],
        target=target,
    )


def _first_line(message: str | None) -> str | None:
    return message.strip().split("\n", 1)[0] if message else None
