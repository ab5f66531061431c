"""All checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pggit_chaos import baseline, inspection, listing, options, talk
from pggit_chaos.rows import Finding
from pggit_chaos.workbench import Choice, open_workbench

_COLUMNS = ("check_id", "severity", "relation", "row_identity", "message", "action", "repairable")
_GONE = ("check_id", "row_identity", "message")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="""\b
Examples:
  pggit-chaos fsck --dsn "$DSN" --read-only
  pggit-chaos fsck --dsn "$DSN" --check commit_parent_missing --check branch_head_missing
  pggit-chaos fsck --dsn "$DSN" --write-baseline known.json
  pggit-chaos fsck --dsn "$DSN" --baseline known.json --min-severity error --format junit
""",
    short_help="Check the integrity of pgGit's metadata.",
)
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option(
    "--check",
    "more_checks",
    multiple=True,
    metavar="ID",
    help="Run this check, the same as CHECK; may be repeated.",
)
@click.option(
    "--min-severity",
    type=click.Choice(inspection.SEVERITIES[::-1]),
    default="info",
    show_default=True,
    help="Leave out what weighs less.",
)
@click.option(
    "--read-only",
    is_flag=True,
    help="Need nothing of ours in the database: one READ ONLY transaction, on a standby too.",
)
@click.option(
    "--baseline",
    "baseline_file",
    metavar="FILE",
    type=_FILE,
    help="List and fail on what is not in this file only; say what of it is gone.",
)
@click.option(
    "--write-baseline",
    metavar="FILE",
    type=_FILE,
    help="Write what is found into this file, as known from now on; exit status 0.",
)
@options.choice
@options.format_name
def command(
    *,
    checks: tuple[str, ...],
    more_checks: tuple[str, ...],
    min_severity: str,
    read_only: bool,
    baseline_file: Path | None,
    write_baseline: Path | None,
    choice: Choice,
    format_name: str,
) -> int:
    """Run each CHECK, by default all that apply, and list what they find.

    Reads only.  Exit status 1 where there is any finding, with --baseline where
    there is a new one.  A check that cannot run is an error, and never clean.
    """
    expected = baseline.read(baseline_file) if baseline_file is not None else None
    run = inspection.run_read_only if read_only else inspection.run
    with open_workbench(choice, talk.say, needs_extension=not read_only) as bench:
        done = run(bench.conn, [*checks, *more_checks], min_severity=min_severity)
        label = bench.label
    _say_what_does_not_apply(done.inapplicable)
    listings = [_as_listing(done.findings, label)]
    if expected is not None:
        compared = baseline.compare(expected, done)
        listings = [_as_listing(compared.new, label), _as_gone(compared.gone, label)]
        _say_compared(compared)
    if write_baseline is not None:
        baseline.write(write_baseline, done.findings, target=label)
    listing.write(listings, format_name)
    failures = listings[0].failures
    talk.say(f"{_count(failures, 'finding')}{' since the baseline' * (expected is not None)}")
    if write_baseline is not None:
        talk.say(f"{_count(len(done.findings), 'finding')} known from now on: {write_baseline}")
        return 0
    return int(failures > 0)


def _as_listing(findings: Sequence[Finding], label: str) -> listing.Listing:
    return listing.Listing(
        name="findings",
        title=f"Findings: {label}",
        target=label,
        columns=_COLUMNS,
        records=[
            listing.Record(
                name=f"{finding.check_id} {finding.row_identity}",
                values={column: getattr(finding, column) for column in _COLUMNS},
                failure=finding.message,
            )
            for finding in findings
        ],
    )


def _as_gone(gone: Sequence[baseline.Known], label: str) -> listing.Listing:
    return listing.Listing(
        name="gone",
        title=f"Gone since the baseline: {label}",
        target=label,
        columns=_GONE,
        records=[
            listing.Record(
                name=f"{each.check_id} {each.row_identity}",
                values={column: getattr(each, column) for column in _GONE},
            )
            for each in gone
        ],
    )


def _say_what_does_not_apply(names: Sequence[str]) -> None:
    if names:
        verb = "does" if len(names) == 1 else "do"
        talk.say(
            f"{_count(len(names), 'check')} {verb} not apply to this pgGit: {', '.join(names)}"
        )


def _say_compared(compared: baseline.Comparison) -> None:
    talk.say(
        f"of the baseline {len(compared.known)} still there, {len(compared.gone)} gone"
        + "".join(f"\n  gone: {each.check_id} {each.row_identity}" for each in compared.gone)
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
