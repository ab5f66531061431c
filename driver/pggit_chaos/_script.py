"""The rule by which the extension's files are made from the repository.

The script is every ``sql/NN_*/**/*.sql`` joined in byte order of its path.  The
build hook loads this file by its path, so it imports nothing of the package;
the Makefile applies the same rule, and a test compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path

CONTROL = "pggit_chaos.control"


def version(control: str) -> str:
    """Return ``default_version`` of the text of a control file."""
    match = re.search(r"^default_version\s*=\s*'([^']+)'", control, re.MULTILINE)
    if match is None:
        raise ValueError(f"{CONTROL} has no default_version")
    return match.group(1)


def build(root: Path) -> dict[str, bytes]:
    """Return the extension's files by name: control file, script, upgrade scripts."""
    control = (root / CONTROL).read_bytes()
    name = f"pggit_chaos--{version(control.decode())}.sql"
    parts = sorted(root.glob("sql/[0-9]*/**/*.sql"), key=lambda path: path.as_posix().encode())
    upgrades = sorted(root.glob("sql/upgrades/pggit_chaos--*--*.sql"))
    return {
        CONTROL: control,
        name: b"".join(part.read_bytes() for part in parts),
        **{path.name: path.read_bytes() for path in upgrades},
    }
