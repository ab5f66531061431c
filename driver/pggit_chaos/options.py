"""Options and arguments that commands share, so that they are the same everywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pggit_chaos.listing import FORMATS
from pggit_chaos.workbench import Choice

__all__ = ["choice", "format_name", "seed"]

Function = TypeVar("Function", bound=Callable[..., Any])

_DSN = click.option(
    "--dsn", metavar="DSN", help="A database that has pgGit, as a URL or as key=value words."
)
_SOURCE = click.option(
    "--pggit-source",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A checkout of pgGit, to be installed into a throwaway server.",
)
_BINDIR = click.option(
    "--pg-bindir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PostgreSQL programs to start the throwaway server with.",
)

format_name = click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to list.",
)

seed = click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed does the same."
)


def choice(function: Function) -> Function:
    """Add the options that choose the target; the command gets them as one ``choice``.

    Neither --dsn nor --pggit-source: the reference target on an embedded server.
    """

    @functools.wraps(function)
    def command(
        *arguments: Any,
        dsn: str | None,
        pggit_source: Path | None,
        pg_bindir: Path | None,
        **options: Any,
    ) -> Any:
        chosen = Choice(dsn=dsn, pggit_source=pggit_source, pg_bindir=pg_bindir)
        return function(*arguments, choice=chosen, **options)

    return _DSN(_SOURCE(_BINDIR(command)))  # type: ignore[return-value]
