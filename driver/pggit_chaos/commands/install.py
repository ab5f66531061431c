"""The extension into a database."""

from __future__ import annotations

import click

from pggit_chaos import extension, talk
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog='Example: pggit-chaos install --dsn "$DSN"',
    short_help="Install the extension into a database.",
)
@click.option("--dsn", required=True, metavar="DSN", help="The database, best one that has pgGit.")
@click.option(
    "--enable",
    is_flag=True,
    help="Opt the database in, too: without that, nothing here changes anything.",
)
def command(*, dsn: str, enable: bool) -> int:
    """Install pggit_chaos.

    As an extension where the server has its files, or where they can be put;
    otherwise its script is sent over the connection.  Nothing of pgGit is touched.
    """
    choice = Choice(dsn=dsn)
    with open_workbench(choice, talk.say, needs_extension=False) as bench:
        done = extension.install(bench.conn)
        talk.say(f"installed pggit_chaos {extension.version()} (by {done.how})")
        if enable:
            extension.enable(bench.conn)
            talk.say("enabled")
        else:
            talk.say(f"to opt in: {extension.opt_in(bench.conn)}")
    return 0
