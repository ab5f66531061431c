"""What is told on stderr while something runs: lines, and a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

import click

__all__ = ["progress", "say"]

Item = TypeVar("Item")


def say(message: str) -> None:
    """Tell the user what is going on."""
    click.echo(message, err=True)


def progress(items: Iterable[Item], *, what: str) -> Iterator[Item]:
    """Yield the items, with a bar that shows how far this is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    total = len(items) if isinstance(items, Sized) else None
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield from bar.track(items, total=total, description=what)
