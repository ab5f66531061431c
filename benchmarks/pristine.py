"""Measure what a pristine database costs a test: a clone, against the schema loaded anew.

The other side is pytest-postgresql (pip install pytest-postgresql): its janitor as a
fixture uses it that loads a schema for each test, and with a template of its own.
Both sides take turns on one throwaway server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import psycopg
import ratios
from psycopg.conninfo import conninfo_to_dict
from ratios import Ratio

from pggit_chaos import binaries, listing, options, talk
from pggit_chaos.plugin.options import Options
from pggit_chaos.plugin.provision import Provision, make_target, put_in_hooks

BAR = 3.0  # times
NAME = "by_the_janitor"
LOADED = "the schema loaded anew, to a clone"
CLONED = "a clone by the janitor, to a clone"


@click.command()
@click.option(
    "--pggit-source",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A checkout of pgGit to measure instead of the reference target.",
)
@click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@options.format_name
def command(
    *, pggit_source: Path | None, pg_bindir: Path | None, rounds: int, format_name: str
) -> None:
    """Print how many times faster a clone is.  Exit status 1 if the bar is missed."""
    try:
        from pytest_postgresql.janitor import DatabaseJanitor
    except ImportError as error:
        raise click.UsageError("pip install pytest-postgresql") from error

    chosen = Options(pggit_source=pggit_source, pg_bindir=pg_bindir)
    provision = Provision(chosen)
    try:
        cluster = provision.cluster
        template = _dbname(provision.make("hooked"))  # nobody is connected to it

        def load(*, dbname: str, **_: Any) -> None:
            make_target(cluster.dsn(dbname), chosen)
            put_in_hooks(cluster.dsn(dbname))

        def theirs(template_dbname: str | None) -> None:
            where = conninfo_to_dict(cluster.dsn())
            janitor = DatabaseJanitor(
                **{name: str(where[name]) for name in ("host", "port", "user")},
                dbname=NAME,
                template_dbname=template_dbname,
            )
            with janitor:
                if template_dbname is None:
                    janitor.load(load)
                _use(cluster.dsn(NAME))

        talk.say(f"{rounds} rounds of three databases")
        measured = _take_turns(
            rounds,
            lambda: _ours(provision),
            {LOADED: lambda: theirs(None), CLONED: lambda: theirs(template)},
        )
    finally:
        provision.close()
    version = binaries.find(pg_bindir).version
    result = ratios.as_listing(measured, f"A pristine database, on PostgreSQL {version}")
    listing.write([result], format_name)
    click.get_current_context().exit(int(result.failures > 0))


def _take_turns(
    rounds: int, ours: Callable[[], None], theirs: Mapping[str, Callable[[], None]]
) -> list[Ratio]:
    values: dict[str, list[float]] = {name: [] for name in theirs}
    for _ in range(rounds):
        own = _seconds(ours)
        for name, other in theirs.items():
            values[name].append(_seconds(other) / own)
    return [
        Ratio(name=name, values=values[name], bar=BAR if name == LOADED else None)
        for name in theirs
    ]


def _ours(provision: Provision) -> None:
    conninfo = provision.make("hooked")
    _use(conninfo)
    provision.drop(conninfo)


def _use(conninfo: str) -> None:
    with psycopg.connect(conninfo) as conn:
        conn.execute("SELECT count(*) FROM pggit.branches")


def _seconds(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _dbname(conninfo: str) -> str:
    return str(conninfo_to_dict(conninfo)["dbname"])


if __name__ == "__main__":
    command()
