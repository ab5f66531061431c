"""Sabotages: one bug each, put into the reference target to see which tests notice."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pggit_chaos.errors import UsageError

if TYPE_CHECKING:
    import psycopg

__all__ = ["CATEGORIES", "Sabotage", "all", "apply", "find"]

CATEGORIES: Final = ("property", "concurrent", "transaction", "resource", "corruption")
"""What kinds of tests there are; a sabotage names the one that must notice it."""

_HEADER = re.compile(r"\A-- category: (?P<category>\S+)\n(?P<summary>(?:-- .*\n)*)")


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """A bug: its name, the category of tests that must notice it, one sentence, and its file.

    A file of the user's own need not say its category: then any test may notice.
    """

    name: str
    category: str | None
    summary: str
    path: Path


def all() -> list[Sabotage]:  # noqa: A001 it reads well: sabotage.all()
    """Return the sabotages that come with the package, by category and name."""
    found = [_read(path) for path in (Path(__file__).parent / "sabotages").glob("*.sql")]
    return sorted(found, key=_order)


def find(name_or_path: str) -> Sabotage:
    """Return the sabotage of that name, or the one in that SQL file of the user's own."""
    known = {sabotage.name: sabotage for sabotage in all()}
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return _read(path)
    near = difflib.get_close_matches(name_or_path, known, cutoff=0.5)
    raise UsageError(
        f'there is no sabotage "{name_or_path}", and no such file',
        hint=f"Near: {', '.join(near)}." if near else "pggit-chaos sabotage --list",
    )


def apply(conn: psycopg.Connection[Any], sabotage: Sabotage) -> None:
    """Put the bug into the reference target in the database of ``conn``, all of it or nothing."""
    import psycopg

    try:
        with conn.transaction():
            conn.execute(sabotage.path.read_bytes())
    except psycopg.Error as error:
        raise UsageError(
            f'sabotage "{sabotage.name}" cannot be applied: {error.diag.message_primary or error}',
            detail=error.diag.message_detail,
            hint=f"It is applied to a fresh reference target; look at {sabotage.path}.",
            sqlstate=error.sqlstate,
        ) from error


def _read(path: Path) -> Sabotage:
    try:
        header = _HEADER.match(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f'"{path}" is not text in UTF-8: {error}') from error
    if header is None:
        return Sabotage(name=path.stem, category=None, summary="", path=path)
    if header["category"] not in CATEGORIES:
        raise UsageError(
            f'"{path}" names an unknown category: "{header["category"]}"',
            hint=f"It is one of {', '.join(CATEGORIES)}.",
        )
    words = (word for word in header["summary"].split() if word != "--")
    return Sabotage(name=path.stem, category=header["category"], summary=" ".join(words), path=path)


def _order(sabotage: Sabotage) -> tuple[int, str]:
    assert sabotage.category is not None
    return CATEGORIES.index(sabotage.category), sabotage.name
