"""Taking from a server what it needs: room on disk, memory, space for WAL.

Limits of a process are set as the user that runs it; a disk of a size takes
root.  What cannot be taken here is an UnavailableError that says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pggit_chaos.errors import UnavailableError

if TYPE_CHECKING:
    from pggit_chaos.cluster import Cluster

__all__ = ["Disk", "address_space", "file_limit", "memory_limit", "small_disk"]


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system in memory, as large as was said."""

    path: Path

    def resize(self, size: int) -> None:
        """Make it as many bytes large; what is on it stays."""
        _run(["mount", "-o", f"remount,size={size}", str(self.path)])


@contextmanager
def small_disk(cluster: Cluster, size: int) -> Iterator[Disk]:
    """Mount a disk of so many bytes for the block, where the server may write.

    What the server keeps on it must be gone, or the server stopped, when the
    block ends.
    """
    path = cluster.directory / f"disk-{os.urandom(4).hex()}"
    path.mkdir()
    uid, gid = cluster.owner
    options = f"size={size},mode=0700,uid={uid},gid={gid}"
    try:
        _run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)])
        try:
            yield Disk(path=path)
        finally:
            # Lazily: whoever still holds a file of it must not keep the mount.
            _run(["umount", "--lazy", str(path)])
    finally:
        path.rmdir()


@contextmanager
def file_limit(cluster: Cluster, pid: int, size: int) -> Iterator[None]:
    """Let no file that a backend writes grow beyond so many bytes, for the block.

    PostgreSQL says what the kernel says: 53100, or XX000 for a file that is too
    large.  It holds for WAL segments too: the size must be more than one of those.
    """
    with _limit(cluster, pid, "fsize", size):
        yield


@contextmanager
def memory_limit(cluster: Cluster, pid: int, more: int) -> Iterator[None]:
    """Let a backend have so many bytes more than it has now, for the block."""
    with _limit(cluster, pid, "as", address_space(pid) + more):
        yield


def address_space(pid: int) -> int:
    """Return how many bytes of address space a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _limit(cluster: Cluster, pid: int, resource: str, value: int) -> Iterator[None]:
    # The soft limit alone: that can be taken back.
    _run(["prlimit", "--pid", str(pid), f"--{resource}={value}:"], cluster)
    try:
        yield
    finally:
        try:
            _run(["prlimit", "--pid", str(pid), f"--{resource}=unlimited:"], cluster)
        except UnavailableError:
            if _lives(pid):
                raise


def _lives(pid: int) -> bool:
    try:
        return address_space(pid) > 0  # a zombie has none
    except OSError:
        return False


def _run(command: list[str], cluster: Cluster | None = None) -> None:
    """Run a program as we are, or as the user that runs the server."""
    program = shutil.which(command[0])
    if program is None:
        raise UnavailableError(f'there is no program "{command[0]}" here')
    identity: dict[str, Any] = {}
    if cluster is not None and os.geteuid() == 0:
        uid, gid = cluster.owner
        identity = {"user": uid, "group": gid, "extra_groups": []}
    done = subprocess.run(
        [program, *command[1:]],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **identity,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise UnavailableError(f"{command[0]} is not permitted here: {reason[0]}")
