"""Write driver/pggit_chaos/chaos.py, which does without waiting what async_chaos.py does.

Run it as ``python driver/async_to_sync.py``; a test fails while the two differ.
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
SOURCE = PACKAGE / "async_chaos.py"
RESULT = PACKAGE / "chaos.py"

_DOCSTRING = re.compile(r'""".*?"""', re.DOTALL)
_NEW_DOCSTRING = (
    '"""The SQL functions of pggit_chaos as Python, over a connection of the caller\'s.\n'
    "\n"
    "Made from ``async_chaos.py`` by ``python driver/async_to_sync.py``: change that one.\n"
    '"""'
)


def to_sync(source: str) -> str:
    """Return the same module without ``async``, ``await`` and names that begin with either."""
    lines = source.splitlines(keepends=True)
    # From the end, so that the places of what comes before stay true.
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        if token.type in (tokenize.NAME, tokenize.STRING):
            row, begin = token.start
            end_row, end = token.end
            tail = lines[end_row - 1][end:]
            new = _without_async(token.string)
            lines[row - 1 : end_row] = [lines[row - 1][:begin] + new + (tail if new else tail[1:])]
    return _tidy(_DOCSTRING.sub(lambda _: _NEW_DOCSTRING, "".join(lines), count=1))


def _without_async(text: str) -> str:
    if text in ("async", "await"):
        return ""
    return re.sub(r"\b(async_?|Async)(?=contextmanager|driver|[A-Z])", "", text)


def _tidy(source: str) -> str:
    """Sort, join and format again what has become shorter."""
    for command in (["check", "--quiet", "--select", "I,SIM117", "--fix"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", RESULT, "-"],
            input=source,
            capture_output=True,
            check=True,
            text=True,
        )
        source = done.stdout
    return source


if __name__ == "__main__":
    RESULT.write_text(to_sync(SOURCE.read_text()))
