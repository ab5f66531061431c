"""Write the modules that do without waiting what the asynchronous ones do.

Run it as ``python driver/async_to_sync.py``; a test fails while they differ.
The idea is psycopg's.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parent / "pggit_chaos"
SOURCES = (PACKAGE / "async_calls.py", PACKAGE / "async_chaos.py")

_ASYNC = re.compile(
    r"\b(async_(?!to_sync)|async(?=contextmanager)|Async(?=[A-Z]))|(?<=\ba)n asynchronous\b"
)
_ORIGIN = re.compile(r"``\w+\.py`` is made from it: (?P<command>``.+``)")


def result_of(source: Path) -> Path:
    """Return where the synchronous module stands."""
    return source.with_name(source.name.removeprefix("async_"))


def to_sync(source: Path) -> str:
    """Return the same module without ``async``, ``await`` and names that begin with either."""
    text = source.read_text()
    lines = text.splitlines(keepends=True)
    # From the end, so that the places of what comes before stay true.
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        if token.type in (tokenize.NAME, tokenize.STRING):
            row, begin = token.start
            end_row, end = token.end
            tail = lines[end_row - 1][end:]
            new = "" if token.string in ("async", "await") else _ASYNC.sub("", token.string)
            lines[row - 1 : end_row] = [lines[row - 1][:begin] + new + (tail if new else tail[1:])]
    origin = rf"Made from ``{source.name}`` by \g<command>: change that one"
    return _tidy(_ORIGIN.sub(origin, "".join(lines)), result_of(source))


def _tidy(text: str, path: Path) -> str:
    """Sort, join and format again what has become shorter."""
    for command in (["check", "--quiet", "--select", "I,SIM117", "--fix"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", path, "-"],
            input=text,
            capture_output=True,
            check=True,
            text=True,
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    for source in SOURCES:
        result_of(source).write_text(to_sync(source))
