"""The extension out of a database."""

from __future__ import annotations

import click

from pggit_chaos import extension, talk
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog='Example: pggit-chaos uninstall --dsn "$DSN"',
    short_help="Remove the extension, its hooks and the opt-in.",
)
@click.option("--dsn", required=True, metavar="DSN", help="The database.")
def command(*, dsn: str) -> int:
    """Put pgGit back as it was and remove pggit_chaos."""
    with open_workbench(Choice(dsn=dsn), talk.say) as bench:
        extension.uninstall(bench.conn)
    talk.say("uninstalled pggit_chaos")
    return 0
