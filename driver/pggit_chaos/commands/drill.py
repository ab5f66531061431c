"""Drills: corrupt, detect, heal."""

from __future__ import annotations

import click

from pggit_chaos import drills, listing, options, talk
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.workbench import Choice, open_workbench


@click.command(
    epilog="Example: pggit-chaos drill commit_parent_dangling --pggit-source ../pgGit",
    short_help="Corrupt pgGit's metadata, see it detected, heal it.",
)
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option("--category", metavar="NAME", help="Drill the kinds of this category only.")
@options.seed
@options.choice
@options.format_name
def command(
    *, kinds: tuple[str, ...], category: str | None, seed: int, choice: Choice, format_name: str
) -> int:
    """Drill each KIND of corruption, by default every kind that applies.

    A drill corrupts pgGit's metadata, sees that the checks find exactly that,
    heals it, and sees that nothing remains.  The database is left as it was.
    Exit status 1 where a kind is not detected, not healed, or blamed on something
    else.
    """
    from pggit_chaos.chaos import Chaos

    if kinds and category is not None:
        raise click.UsageError("KIND and --category exclude each other")
    with open_workbench(choice, talk.say) as bench:
        chaos = Chaos(bench.conn)
        if kinds:
            done = [drills.run(chaos, kind, seed) for kind in talk.progress(kinds, what="drills")]
        else:
            categories = [category] if category is not None else drills.categories(chaos)
            done = [
                drill
                for each in talk.progress(categories, what="drills")
                for drill in chaos.drill_all(each, seed)
            ]
        if not done:
            raise NotApplicableError(f'no kind of category "{category}" applies to this pgGit')
        result = drills.as_listing(done, bench.label)
    listing.write([result], format_name)
    return int(result.failures > 0)
