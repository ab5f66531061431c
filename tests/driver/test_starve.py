"""A server that lacks room or memory, and gets it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from pggit_chaos import starve
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import UnavailableError

Connection = psycopg.Connection[Any]

MEGABYTE = 1 << 20
TWENTY_MEGABYTES = "SELECT repeat('x', 1000) AS filler FROM generate_series(1, 20000)"
DRIVER = """
import sys, time
from pathlib import Path
from pggit_chaos import binaries, starve
from pggit_chaos.cluster import Cluster
with Cluster(programs=binaries.find(Path(sys.argv[1]))) as cluster:
    with starve.small_disk(cluster, 1 << 20):
        print(cluster.directory, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def own(cluster: Cluster, bare_database: str) -> Iterator[Connection]:
    with cluster.connect(bare_database, autocommit=True) as conn:
        yield conn


@pytest.fixture
def disk(cluster: Cluster) -> Iterator[starve.Disk]:
    try:
        with starve.small_disk(cluster, 4 * MEGABYTE) as mounted:
            yield mounted
    except UnavailableError as error:
        pytest.skip(f"not available here: {error}")


def test_a_disk_that_is_full_can_be_made_larger(own: Connection, disk: starve.Disk) -> None:
    place = sql.Literal(str(disk.path))
    own.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(place))
    try:
        fill = f"CREATE TABLE big TABLESPACE small AS {TWENTY_MEGABYTES}".encode()
        with pytest.raises(errors.DiskFull):
            own.execute(fill)
        disk.resize(64 * MEGABYTE)
        own.execute(fill)
        own.execute("DROP TABLE big")
    finally:
        own.execute("CHECKPOINT")  # until then the files are only emptied
        own.execute("DROP TABLESPACE small")


def test_a_disk_is_gone_after_its_block(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root mounts disks")
    with starve.small_disk(cluster, MEGABYTE) as mounted:
        assert str(mounted.path) in Path("/proc/self/mounts").read_text()
    assert str(mounted.path) not in Path("/proc/self/mounts").read_text()
    assert not mounted.path.exists()


def test_a_file_does_not_grow_beyond_its_limit(cluster: Cluster, own: Connection) -> None:
    fill = f"CREATE TABLE big AS {TWENTY_MEGABYTES}".encode()
    with starve.file_limit(cluster, own.info.backend_pid, 17 * MEGABYTE):
        with pytest.raises(psycopg.Error) as caught:
            own.execute(fill)
    assert caught.value.sqlstate in ("53100", "XX000")
    own.execute(fill)


def test_memory_that_is_refused_is_there_again(cluster: Cluster, own: Connection) -> None:
    greedy = "SELECT length(repeat('x', 100000000))"
    with starve.memory_limit(cluster, own.info.backend_pid, 16 * MEGABYTE):
        with pytest.raises(errors.OutOfMemory):
            own.execute(greedy)
    assert own.execute(greedy).fetchone() == (100_000_000,)


def test_a_session_that_ended_in_its_limit_is_let_go(cluster: Cluster, own: Connection) -> None:
    with starve.memory_limit(cluster, own.info.backend_pid, 16 * MEGABYTE):
        with pytest.raises(errors.AdminShutdown):
            own.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.one_version
def test_what_is_missing_is_named(
    cluster: Cluster, own: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="prlimit"):
        starve.memory_limit(cluster, own.info.backend_pid, 0).__enter__()


@pytest.mark.one_version
def test_what_is_not_permitted_is_told(cluster: Cluster) -> None:
    with pytest.raises(UnavailableError, match="not permitted"):
        starve.file_limit(cluster, 1, MEGABYTE).__enter__()


@pytest.mark.one_version
def test_a_driver_that_is_killed_leaves_no_disk(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root mounts disks")
    command = [sys.executable, "-c", DRIVER, cluster.programs.bindir]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        directory = Path(it.stdout.readline().strip())
        reaper = _children(it.pid)
        it.send_signal(signal.SIGKILL)
    for pid in reaper:
        _wait_for_end(pid)
    assert not directory.exists()
    assert str(directory) not in Path("/proc/self/mounts").read_text()


def _children(pid: int) -> list[int]:
    """Return the children of a process that ignore its end: its reaper."""
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def _wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        import select

        select.select([descriptor], [], [], 30)
    finally:
        os.close(descriptor)
