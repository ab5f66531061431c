"""The files of a relation: where its blocks are, and how to keep and to cut them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pggit_chaos.cluster import Cluster

__all__ = ["BLOCK", "SEGMENT", "forks", "kept", "segment", "segments", "truncate"]

BLOCK: Final = 8192  # bytes
SEGMENT: Final = 131072  # blocks in a file, before a relation goes on in the next


@contextmanager
def kept(cluster: Cluster, relations: list[str]) -> Iterator[None]:
    """Stop the server for the block, and after it put the files of relations back, and start."""
    place = cluster.directory / "kept"
    cluster.stop()
    paths = [path for relation in relations for path in forks(cluster.data / relation)]
    place.mkdir()
    try:
        for path in paths:
            shutil.copyfile(path, place / path.name)
        yield
    finally:
        cluster.stop()
        for path in paths:
            shutil.copyfile(place / path.name, path)
        for path in {f for relation in relations for f in forks(cluster.data / relation)}:
            if path not in paths:
                path.unlink()
        shutil.rmtree(place)
        cluster.start()


def forks(path: Path) -> list[Path]:
    """Return every file of a relation: its segments, its map of free space and of visibility."""
    return [path, *path.parent.glob(f"{path.name}[._]*")]


def segment(path: Path, number: int) -> Path:
    """Return one of the files that the blocks of a relation are in."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def segments(path: Path) -> list[int]:
    """Return the numbers of these files."""
    return [0, *(int(more.suffix[1:]) for more in path.parent.glob(f"{path.name}.*"))]


def truncate(path: Path, blocks: int) -> None:
    """Leave a relation its first blocks only."""
    last = blocks // SEGMENT
    for number in segments(path):
        if number > last:
            segment(path, number).unlink()
    with segment(path, last).open("r+b") as file:
        file.truncate(blocks % SEGMENT * BLOCK)
