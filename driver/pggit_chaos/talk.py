"""What is told on stderr while something runs: lines, and a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import click

__all__ = ["INTERRUPTED", "Interruption", "interruptible", "progress", "say"]

INTERRUPTED = 130  # the exit status of what Ctrl-C ended

Item = TypeVar("Item")


@dataclass
class Interruption:
    """Whether Ctrl-C ended the block."""

    happened: bool = False

    def status(self, otherwise: int) -> int:
        """Return the exit status: that of an interruption, or what it would be without."""
        return INTERRUPTED if self.happened else otherwise


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let Ctrl-C end the block and not the command: what was done until then is listed."""
    interruption = Interruption()
    try:
        yield interruption
    except KeyboardInterrupt:
        interruption.happened = True
        say("interrupted; what was done until then:")


def say(message: str) -> None:
    """Tell the user what is going on."""
    click.echo(message, err=True)


def progress(items: Iterable[Item], *, what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, with a bar that shows how far this is; ``total`` where they cannot tell."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    if isinstance(items, Sized):
        total = len(items)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield from bar.track(items, total=total, description=what)
