"""Every fault off."""

from __future__ import annotations

import click

from pggit_chaos import talk
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog='Example: pggit-chaos disarm --dsn "$DSN"',
    short_help="Disarm every fault of every session.",
)
@click.option("--dsn", required=True, metavar="DSN", help="The database.")
def command(*, dsn: str) -> int:
    """Disarm every fault of every session."""
    from pggit_chaos.chaos import Chaos

    with open_workbench(Choice(dsn=dsn), talk.say) as bench:
        count = Chaos(bench.conn).disarm_all()
    talk.say(f"disarmed {count} fault{'' if count == 1 else 's'}")
    return 0
