"""Sweeps: one fault at every place, one after the other."""

from __future__ import annotations

import click

from pggit_chaos import listing, options, sweeps, talk
from pggit_chaos.operations import Operation
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog="""\b
Examples:
  pggit-chaos sweep --pggit-source ../pgGit
  pggit-chaos sweep --dsn "$DSN" --hits "SELECT pggit.commit_changes('main', 'm')"
""",
    short_help="Fail pgGit's operations at every place and judge each outcome.",
)
@click.argument("statements", nargs=-1, metavar="[STATEMENT]...")
@click.option(
    "--sqlstate",
    "sqlstates",
    multiple=True,
    default=sweeps.SQLSTATES,
    show_default=True,
    metavar="CODE",
    help="The error to inject; may be repeated.",
)
@click.option("--hits", is_flag=True, help="List every fault and not only how many there were.")
@options.choice
@options.format_name
def command(
    *,
    statements: tuple[str, ...],
    sqlstates: tuple[str, ...],
    hits: bool,
    choice: Choice,
    format_name: str,
) -> int:
    """Sweep each STATEMENT, by default pgGit's core operations.

    A sweep runs the statement once for each failpoint that it passes, with an
    error injected there.  surfaced: the caller saw it and nothing changed.
    tolerated: the operation succeeded all the same.  Worse are masked (another
    error was seen), leaked (something outlived the error), lost (success without
    effect) and torn (success by half); exit status 1 if there is any of them.

    It all happens in one transaction that is rolled back.  Locks that it takes on
    pgGit's tables keep other sessions waiting meanwhile.
    """
    from pggit_chaos.chaos import Chaos
    from pggit_chaos.target import Target

    with open_workbench(choice, talk.say, workload=False) as bench:
        chaos = Chaos(bench.conn)
        given = [Operation(name=" ".join(each.split()), statement=each) for each in statements]
        swept: list[sweeps.Sweep] = []
        with talk.interruptible() as interruption, sweeps.ground(chaos):
            operations = given or Target(bench.conn).operations()
            for operation in talk.progress(operations, what="sweeps"):
                swept.extend(sweeps.run(chaos, [operation], sqlstates))
        present = sweeps.as_hits if hits else sweeps.as_listing
        result = present(swept, bench.label)
    listing.write([result], format_name)
    return interruption.status(int(result.failures > 0))
