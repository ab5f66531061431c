"""Build hook: puts the extension's control file and script into the wheel.

The script is every ``sql/NN_*/**/*.sql`` joined in byte order of its path. The
Makefile applies the same rule; ``tests/packaging`` compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def extension_version(root: Path) -> str:
    """Return ``default_version`` of the control file."""
    control = (root / "pggit_chaos.control").read_text(encoding="utf-8")
    match = re.search(r"^default_version\s*=\s*'([^']+)'", control, re.MULTILINE)
    if match is None:
        raise ValueError("pggit_chaos.control has no default_version")
    return match.group(1)


def extension_script(root: Path) -> str:
    """Return the text of ``pggit_chaos--VERSION.sql``."""
    parts = sorted(root.glob("sql/[0-9]*/**/*.sql"), key=lambda path: path.as_posix().encode())
    return "".join(part.read_text(encoding="utf-8") for part in parts)


class ExtensionFiles(BuildHookInterface):
    """Writes the extension's files below ``build/`` and adds them to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if (root / "sql").is_dir():
            target = root / "build" / "extension"
            target.mkdir(parents=True, exist_ok=True)
            name = f"pggit_chaos--{extension_version(root)}.sql"
            (target / name).write_text(extension_script(root), encoding="utf-8")
            control = (root / "pggit_chaos.control").read_bytes()
            (target / "pggit_chaos.control").write_bytes(control)
            for file in (name, "pggit_chaos.control"):
                build_data["force_include"][str(target / file)] = f"pggit_chaos/extension/{file}"
