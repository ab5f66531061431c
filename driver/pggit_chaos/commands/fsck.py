"""All checks."""

from __future__ import annotations

import click

from pggit_chaos import listing, options, talk
from pggit_chaos.workbench import Choice, open_workbench

_COLUMNS = ("check_id", "severity", "relation", "row_identity", "message", "action")


@click.command(
    epilog='Example: pggit-chaos fsck --dsn "$DSN" --min-severity error --format junit',
    short_help="Check the integrity of pgGit's metadata.",
)
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option(
    "--min-severity",
    type=click.Choice(["error", "warning", "info"]),
    default="info",
    show_default=True,
    help="Leave out what weighs less.",
)
@options.choice
@options.format_name
def command(*, checks: tuple[str, ...], min_severity: str, choice: Choice, format_name: str) -> int:
    """Run each CHECK, by default all that apply, and list what they find.

    Reads only.  Exit status 1 where there is any finding.
    """
    from pggit_chaos.chaos import Chaos

    with open_workbench(choice, talk.say) as bench:
        findings = Chaos(bench.conn).fsck(checks or None, min_severity=min_severity)
        label = bench.label
    result = listing.Listing(
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
    listing.write([result], format_name)
    talk.say(f"{len(findings)} finding{'' if len(findings) == 1 else 's'}")
    return int(bool(findings))
