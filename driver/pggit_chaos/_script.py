"""The rule by which the extension's files are made from the repository.

The script is every ``sql/NN_*/**/*.sql`` joined in byte order of its path.  An
upgrade script is ``replace_code.sql``, the migration of the tables, and, where it
leads to this version, every layer from 30 on with its functions replaced.  The
build hook loads this file by its path, so it imports nothing of the package;
the Makefile applies the same rule, and a test compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path

CONTROL = "pggit_chaos.control"

_BEGIN = "sql/00_script/begin.sql"
_REPLACE_CODE = "sql/upgrades/replace_code.sql"


def version(control: str) -> str:
    """Return ``default_version`` of the text of a control file."""
    match = re.search(r"^default_version\s*=\s*'([^']+)'", control, re.MULTILINE)
    if match is None:
        raise ValueError(f"{CONTROL} has no default_version")
    return match.group(1)


def build(root: Path) -> dict[str, bytes]:
    """Return the extension's files by name: control file, script, upgrade scripts."""
    control = (root / CONTROL).read_bytes()
    current = version(control.decode())
    upgrades = sorted(root.glob("sql/upgrades/pggit_chaos--*--*.sql"))
    return {
        CONTROL: control,
        f"pggit_chaos--{current}.sql": _joined(root, "sql/[0-9]*/**/*.sql"),
        **{path.name: _upgrade(root, path, current) for path in upgrades},
    }


def _joined(root: Path, pattern: str) -> bytes:
    parts = sorted(root.glob(pattern), key=lambda path: path.as_posix().encode())
    return b"".join(part.read_bytes() for part in parts)


def _upgrade(root: Path, migration: Path, current: str) -> bytes:
    parts = [(root / _BEGIN), (root / _REPLACE_CODE), migration]
    code = b""
    if migration.stem.endswith(f"--{current}"):
        code = re.sub(
            rb"^CREATE FUNCTION ",
            b"CREATE OR REPLACE FUNCTION ",
            _joined(root, "sql/[3-9][0-9]_*/**/*.sql"),
            flags=re.MULTILINE,
        )
    return b"".join(part.read_bytes() for part in parts) + code
