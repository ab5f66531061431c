"""The command line as a process of its own, and what can be asserted of any command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

CLEAN, FINDINGS, USAGE, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 3, 130

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def words(*arguments: object) -> list[str]:
    """Return the command that runs pggit-chaos with these arguments."""
    return [sys.executable, "-m", "pggit_chaos", *map(str, arguments)]


def run(*arguments: object, **environment: str) -> Done:
    """Run the command line; whatever comes of it, there is no traceback."""
    done = subprocess.run(
        words(*arguments),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def rows(done: Done) -> list[dict[str, Any]]:
    """Return the rows of the only list in the JSON document that a command wrote."""
    document = json.loads(done.stdout)
    (listed,) = (value for value in document.values() if isinstance(value, list))
    return list(listed)
