"""Everything off."""

from __future__ import annotations

import click

from pggit_chaos import talk
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog="""\b
Examples:
  pggit-chaos disarm --dsn "$DSN"
  pggit-chaos disarm --dsn "$DSN" --faults-only
""",
    short_help="End all that is armed, held, corrupted or hooked.",
)
@click.option("--dsn", required=True, metavar="DSN", help="The database.")
@click.option("--faults-only", is_flag=True, help="Leave lock holds, corruptions and hooks.")
def command(*, dsn: str, faults_only: bool) -> int:
    """Disarm every fault of every session, release locks, heal, take the hooks out."""
    from pggit_chaos.chaos import Chaos

    with open_workbench(Choice(dsn=dsn), talk.say) as bench:
        count = Chaos(bench.conn).disarm_all(everything=not faults_only)
    talk.say(f"ended {count} thing{'' if count == 1 else 's'}")
    return 0
