"""A copy of a PostgreSQL installation that can be added to.

PostgreSQL computes the place of its shared files from the place of its own
binary.  So three copied programs and symbolic links for the rest are a whole
installation, whose directory of extensions is ours to write to.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pggit_chaos.binaries import Binaries

__all__ = ["plant", "reachable"]

_Placer = Callable[[Path, Path], None]

_COPIED = ("postgres", "initdb", "pg_ctl")  # these look where they really lie


def plant(
    binaries: Binaries,
    directory: Path,
    *,
    extensions: Iterable[Path] = (),
    files: Mapping[str, bytes] | None = None,
    copy: bool = False,
) -> Binaries:
    """Make an installation in ``directory`` and return it.

    ``extensions`` are directories whose files join the extension directory, and
    ``files`` is more of them, by name.  ``copy`` copies what is otherwise linked,
    for a user who cannot reach the original.
    """
    place: _Placer = _copy if copy else os.symlink
    bindir, sharedir, libdir = (
        directory / path.relative_to(binaries.root)
        for path in (binaries.bindir, binaries.sharedir, binaries.libdir)
    )
    bindir.mkdir(parents=True)
    for program in binaries.bindir.iterdir():
        (_copy if program.name in _COPIED else place)(program, bindir / program.name)
    _plant_libraries(binaries, bindir, libdir, place)
    sharedir.mkdir(parents=True)
    for entry in binaries.sharedir.iterdir():
        if entry.name != "extension":
            place(entry, sharedir / entry.name)
    _plant_extensions(binaries, sharedir / "extension", extensions, files or {}, place)
    return Binaries(
        version=binaries.version,
        bindir=bindir,
        sharedir=sharedir,
        libdir=libdir,
        origin=binaries.origin,
    )


def reachable(path: Path, uid: int, gid: int) -> bool:
    """Answer whether that user, in no other group, can read ``path`` and get to it."""
    path = path.resolve()
    return all(_may(parent, 0o1, uid, gid) for parent in path.parents) and _may(
        path, 0o5 if path.is_dir() else 0o4, uid, gid
    )


def _may(path: Path, wanted: int, uid: int, gid: int) -> bool:
    status = path.stat()
    if status.st_uid == uid:
        granted = status.st_mode >> 6
    elif status.st_gid == gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _plant_libraries(binaries: Binaries, bindir: Path, libdir: Path, place: _Placer) -> None:
    # Programs look for libpq and others in ../lib; modules may lie below it.
    beside = binaries.bindir.parent / "lib"
    if beside.is_dir():
        place(beside, bindir.parent / "lib")
    if not binaries.libdir.is_relative_to(beside):
        libdir.parent.mkdir(parents=True, exist_ok=True)
        place(binaries.libdir, libdir)


def _plant_extensions(
    binaries: Binaries,
    target: Path,
    extensions: Iterable[Path],
    files: Mapping[str, bytes],
    place: _Placer,
) -> None:
    sources: dict[str, Path] = {}
    for directory in (binaries.sharedir / "extension", *extensions):
        sources.update({entry.name: entry for entry in directory.iterdir()})
    target.mkdir()
    for name, source in sources.items():
        if name not in files:
            place(source, target / name)
    for name, content in files.items():
        (target / name).write_bytes(content)
