"""Drills: corrupt, detect, heal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from pggit_chaos import drills, listing, options, talk
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.rows import Drill
from pggit_chaos.workbench import Choice, Workbench, open_copy, open_workbench

if TYPE_CHECKING:
    from pggit_chaos.chaos import Chaos


@click.command(
    epilog="""\b
Examples:
  pggit-chaos drill --dsn "$DSN"
  pggit-chaos drill --dsn "$DSN" --kind commit_parent_dangling --kind commit_deleted
  pggit-chaos drill --pggit-source ../pgGit --category commit --seed 7
  pggit-chaos drill --dsn "$DSN" --category commit --pairs
  pggit-chaos drill --dsn "$DSN" --physical
""",
    short_help="Corrupt pgGit's metadata, see it detected, heal it.",
)
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option(
    "--kind",
    "more_kinds",
    multiple=True,
    metavar="NAME",
    help="Drill this kind, the same as KIND; may be repeated.",
)
@click.option("--category", metavar="NAME", help="Drill the kinds of this category only.")
@click.option(
    "--pairs",
    is_flag=True,
    help="Drill each two of the kinds at once, healed in both orders.",
)
@click.option(
    "--physical",
    is_flag=True,
    help="Damage files instead of rows: on a throwaway server only, with amcheck and checksums.",
)
@click.option(
    "--in-place",
    is_flag=True,
    help="Drill the database of --dsn itself and not a copy of it.",
)
@options.seed
@options.choice
@options.format_name
def command(
    *,
    kinds: tuple[str, ...],
    more_kinds: tuple[str, ...],
    category: str | None,
    pairs: bool,
    physical: bool,
    in_place: bool,
    seed: int,
    choice: Choice,
    format_name: str,
) -> int:
    """Drill each KIND of corruption, by default every kind that applies.

    A drill corrupts pgGit's metadata, sees that the checks find exactly that,
    heals it, and sees that nothing remains.  Exit status 1 where a kind is not
    detected, not healed, or blamed on something else.

    The database of --dsn is only read: drills are for a copy of it, which gets the
    extension and goes away.  It is made on the same server where the role may and
    nobody is connected, else dumped into a throwaway server; which, and how large
    it is, is said beforehand.  --in-place drills the database itself, if its owner
    has opted in: each drill is a transaction that is undone, and locks what it
    corrupts meanwhile.
    """
    named = (*kinds, *more_kinds)
    if named and category is not None:
        raise click.UsageError("KIND and --category exclude each other")
    if physical and pairs:
        raise click.UsageError("--physical and --pairs exclude each other")
    if physical and in_place:
        raise click.UsageError("--physical damages files, so it is never done --in-place")
    if physical and category is not None:
        raise click.UsageError("--physical has kinds, and no categories")
    done: list[Drill] = []
    paired: list[drills.Pair] = []
    with _open(choice, physical=physical, in_place=in_place) as bench:
        label = bench.label
        with talk.interruptible() as interruption:
            if physical:
                done.extend(_physical(bench, named, seed))
            elif pairs:
                paired.extend(_pairs(bench, named, category, seed))
            else:
                done.extend(_logical(bench, named, category, seed))
    result = (
        drills.as_pairs(paired, label)
        if pairs
        else drills.as_listing(done, label, physical=physical)
    )
    listing.write([result], format_name)
    return interruption.status(int(result.failures > 0))


def _open(choice: Choice, *, physical: bool, in_place: bool) -> AbstractContextManager[Workbench]:
    if in_place:
        return open_workbench(choice, talk.say)
    if physical:
        from pggit_chaos.physical import INITDB_OPTIONS

        return open_copy(choice, talk.say, own_server=True, initdb_options=INITDB_OPTIONS)
    return open_copy(choice, talk.say)


def _logical(
    bench: Workbench, named: Sequence[str], category: str | None, seed: int
) -> Iterator[Drill]:
    from pggit_chaos.chaos import Chaos

    chaos = Chaos(bench.conn)
    for kind in talk.progress(_chosen(chaos, named, category), what="drills"):
        yield drills.run(chaos, kind, seed)


def _pairs(
    bench: Workbench, named: Sequence[str], category: str | None, seed: int
) -> Iterator[drills.Pair]:
    from pggit_chaos.chaos import Chaos

    chaos = Chaos(bench.conn)
    pairs = list(itertools.combinations(_chosen(chaos, named, category), 2))
    for kind, other in talk.progress(pairs, what="pairs"):
        yield drills.run_pair(chaos, kind, other, seed)


def _chosen(chaos: Chaos, named: Sequence[str], category: str | None) -> Sequence[str]:
    kinds = named or drills.kinds(chaos, category)
    if not kinds:
        raise NotApplicableError(f'no kind of category "{category}" applies to this pgGit')
    return kinds


def _physical(bench: Workbench, named: Sequence[str], seed: int) -> Iterator[Drill]:
    from pggit_chaos import physical

    assert bench.cluster is not None
    name = bench.conn.info.dbname
    bench.conn.close()  # the server stops and starts
    for kind in talk.progress(named or list(physical.KINDS), what="drills"):
        yield physical.drill(bench.cluster, name, kind, seed=seed)
