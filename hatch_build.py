"""Build hook: puts the extension's files into the wheel, made by the package's own rule."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RULE = "driver/pggit_chaos/_script.py"


class ExtensionFiles(BuildHookInterface):
    """Writes the extension's files below ``build/`` and adds them to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to a wheel; an editable install finds ``sql/`` by itself."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        target = root / "build" / "extension"
        target.mkdir(parents=True, exist_ok=True)
        for name, content in _rule(root).build(root).items():
            (target / name).write_bytes(content)
            build_data["force_include"][str(target / name)] = f"pggit_chaos/_extension/{name}"


def _rule(root: Path) -> Any:
    # By path: importing the package would need it to be installed first.
    spec = importlib.util.spec_from_file_location("_script", root / RULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
