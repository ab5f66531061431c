"""The reference target: our own small pgGit, loaded into a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["load", "scripts"]


def scripts() -> list[Path]:
    """Return its files in the order in which they are loaded: byte order of path."""
    root = Path(__file__).parent / "reference"
    return sorted(root.glob("**/*.sql"), key=lambda path: path.as_posix().encode())


def load(conn: psycopg.Connection[Any]) -> None:
    """Load the reference target into the database of ``conn``, all of it or nothing."""
    with conn.transaction():
        for script in scripts():
            conn.execute(script.read_bytes())
