"""A page to show around."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from pggit_chaos import reports


@click.command(
    epilog="""\b
Examples:
  pggit-chaos fsck --dsn "$DSN" --read-only --format json > fsck.json
  pggit-chaos drill --dsn "$DSN" --format json > drill.json
  pggit-chaos report fsck.json drill.json --output report.html
  pggit-chaos sweep --format json | pggit-chaos report --format markdown -
""",
    short_help="Make one page out of what commands wrote as JSON.",
)
@click.argument("files", nargs=-1, required=True, type=click.File(encoding="utf-8"))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["html", "markdown"]),
    default="html",
    show_default=True,
    help="What to write.",
)
@click.option("--title", default="pgGit under chaos", show_default=True, help="The heading.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="Where to write it; by default to stdout.",
)
def command(*, files: tuple[IO[str], ...], format_name: str, title: str, output: IO[str]) -> int:
    """Put together each FILE that a command wrote with --format json; - is stdin.

    The page is one file: HTML with its charts in it and nothing loaded from
    elsewhere, or Markdown.  What is wrong comes first.  Exit status 0, whatever the
    page says: the commands that found it have said so.
    """
    documents = [reports.read(file, Path(file.name).name) for file in files]
    if format_name == "html":
        output.write(reports.as_html(documents, title))
    else:
        reports.as_markdown(documents, title, output)
    return 0
