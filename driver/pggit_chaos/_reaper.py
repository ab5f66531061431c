"""Removes a throwaway server when the process that started it is gone.

Runs as a process of its own, in a session of its own, with the read end of a
pipe as stdin.  The driver holds the other end.  However the driver ends, by
return, by Ctrl-C or by SIGKILL, the kernel closes that end, and the server and
its directory go away.

Run as a script without site-packages: standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE = 10.0  # seconds for an immediate shutdown, and again after SIGKILL
INTERVAL = 0.01
IPC_RMID = 0  # of <sys/ipc.h>
MNT_DETACH = 2  # of <sys/mount.h>


def processes(directory: Path, proc: Path = Path("/proc")) -> list[int]:
    """Return the processes that run a program out of ``directory``.

    A server runs its own copy of the programs, so this finds its children too,
    and can never name a process that only got an old number again.
    """
    if not (proc / "self").exists():
        return _from_pid_file(directory)
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                program = (entry / "exe").readlink()
            except OSError:  # it is gone, or somebody else's
                continue
            if program.is_relative_to(directory):
                found.append(int(entry.name))
    return found


def _from_pid_file(directory: Path) -> list[int]:
    """Return the postmaster where the system has no /proc to look into."""
    try:
        pid = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return []
    return [pid]


def stop(directory: Path) -> None:
    """Stop whatever runs out of ``directory``: SIGQUIT first, SIGKILL if that does not help."""
    for number in (signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE
        signalled: set[int] = set()
        while running := processes(directory):
            for pid in running:
                if pid not in signalled:
                    signalled.add(pid)
                    _signal(pid, number)
            if time.monotonic() > deadline:
                break
            time.sleep(INTERVAL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, number)


def release(directory: Path) -> None:
    """Free the System V segment of a postmaster that was killed.

    PostgreSQL keeps a few bytes of it as an interlock between starts.  It outlives
    processes and files, and a postmaster that ends well has removed both it and
    its own pid file.
    """
    try:
        lines = (directory / "data" / "postmaster.pid").read_text().splitlines()
        identifier = int(lines[6].split()[1])
    except (OSError, ValueError, IndexError):
        return
    ctypes.CDLL(None).shmctl(identifier, IPC_RMID, None)


def unmount(directory: Path) -> None:
    """Take away the disks that were mounted below ``directory`` and never unmounted."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:  # then nobody could mount any
        return
    libc = ctypes.CDLL(None)
    for mount in mounts:
        place = mount.split()[1]
        if Path(place).is_relative_to(directory):
            libc.umount2(place.encode(), MNT_DETACH)


def remove(directory: Path) -> None:
    """Remove ``directory``, again if a process that was ending put a file into it."""
    deadline = time.monotonic() + PATIENCE
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)
        if time.monotonic() > deadline:
            break
        if directory.exists():
            time.sleep(INTERVAL)


def main() -> None:
    """Wait for end of file on stdin, then clean up."""
    directory = Path(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    stop(directory)
    release(directory)
    unmount(directory)
    remove(directory)


if __name__ == "__main__":
    main()
