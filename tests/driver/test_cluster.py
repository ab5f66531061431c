"""Throwaway servers: what they do, and that nothing of them stays."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pggit_chaos import _reaper, binaries, tree
from pggit_chaos.binaries import Binaries
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import ServerError
from servers.fleet import Fleet

DRIVER = Path(__file__).parent / "driver_process.py"
PATIENCE = 30.0


@pytest.fixture
def programs(fleet: Fleet, server_version: str) -> Binaries:
    """The programs of the version that the test runs on."""
    return fleet.programs(server_version)


@pytest.fixture
def own(programs: Binaries) -> Iterator[Cluster]:
    """A cluster that the test may break."""
    with Cluster(programs=programs) as cluster:
        yield cluster


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def _is_gone(directory: Path) -> bool:
    return not directory.exists() and not _reaper.processes(directory)


def test_a_cluster_leaves_neither_process_nor_directory(programs: Binaries) -> None:
    with Cluster(programs=programs) as cluster:
        directory = cluster.directory
        assert _reaper.processes(directory)
    assert _is_gone(directory)


def test_a_cluster_does_not_listen_on_the_network(own: Cluster) -> None:
    with own.connect() as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)


def test_two_clusters_at_once_do_not_collide(own: Cluster, programs: Binaries) -> None:
    with Cluster(programs=programs) as other:
        own.create_database("mine")
        with other.connect() as conn:
            names = conn.execute("SELECT datname FROM pg_database").fetchall()
    assert ("mine",) not in names


def test_what_was_committed_survives_a_kill(own: Cluster) -> None:
    with own.connect() as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own.kill()
    assert not own.running
    own.start()
    with own.connect() as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_crash_ends_every_session_and_the_server_recovers(own: Cluster) -> None:
    with own.connect() as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
    bystander = own.connect()
    own.crash()
    with pytest.raises(psycopg.OperationalError):
        bystander.execute("SELECT")
    with own.connect() as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)


@pytest.mark.parametrize("immediate", [False, True])
def test_a_restart_takes_new_settings(own: Cluster, immediate: bool) -> None:
    own.restart(immediate=immediate, work_mem="7MB", application_name="it's \\ quoted")
    with own.connect() as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("7MB",)
        assert conn.execute("SHOW application_name").fetchone() == ("it's \\ quoted",)


def test_settings_hold_from_the_first_start(programs: Binaries) -> None:
    with Cluster(programs=programs, settings={"work_mem": "9MB"}) as cluster:
        with cluster.connect() as conn:
            assert conn.execute("SHOW work_mem").fetchone() == ("9MB",)


def test_initdb_options_are_handed_on(programs: Binaries) -> None:
    with Cluster(programs=programs, initdb_options=["--data-checksums"]) as cluster:
        with cluster.connect() as conn:
            assert conn.execute("SHOW data_checksums").fetchone() == ("on",)


def test_a_database_with_any_name_is_made_and_dropped(own: Cluster) -> None:
    name = """a "b" 'c' %s;--"""
    assert own.create_database(name) == name
    with own.connect(name) as conn:
        assert conn.info.dbname == name
        own.drop_database(name)  # with somebody connected
    with pytest.raises(psycopg.OperationalError):
        own.connect(name)


def test_a_database_is_cloned_from_its_template(own: Cluster) -> None:
    own.create_database("template")
    with own.connect("template") as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own.create_database("clone", template="template")
    with own.connect("clone") as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(programs: Binaries) -> None:
    cluster = Cluster(programs=programs, settings={"shared_buffers": "nonsense"})
    with pytest.raises(ServerError, match="shared_buffers"), cluster:
        raise AssertionError("it started")
    assert _is_gone(cluster.directory)


def test_a_server_that_ended_by_itself_can_be_closed(own: Cluster) -> None:
    for pid in _reaper.processes(own.directory):
        _kill(pid)
    _until(lambda: not own.running)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.one_version
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_is_killed_leaves_nothing(programs: Binaries, number: signal.Signals) -> None:
    with _driver(programs) as driver:
        directory = Path(driver.stdout.readline().strip())
        assert _reaper.processes(directory)
        driver.send_signal(number)
        driver.wait()
        _until(lambda: _is_gone(directory))


@pytest.mark.one_version
def test_a_driver_that_is_killed_during_initdb_leaves_nothing(programs: Binaries) -> None:
    with _driver(programs, "initdb") as driver:
        directory = Path(driver.stdout.readline().strip())
        _until(lambda: (directory / "data").exists())
        driver.kill()
        driver.wait()
        _until(lambda: _is_gone(directory))


def _driver(programs: Binaries, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, DRIVER, programs.bindir, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.one_version
def test_a_killed_server_leaves_no_shared_memory(programs: Binaries) -> None:
    with Cluster(programs=programs) as cluster:
        pid_file = (cluster.data / "postmaster.pid").read_text().splitlines()
        segment = pid_file[6].split()[1]
        cluster.kill()
        assert segment in _segments()
    assert segment not in _segments()


def _segments() -> set[str]:
    """Return the System V segments of this machine, by id."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}


@pytest.mark.one_version
def test_a_postmaster_is_found_without_proc(own: Cluster, tmp_path: Path) -> None:
    (found,) = _reaper.processes(own.directory, proc=tmp_path)
    assert found in _reaper.processes(own.directory)
    own.stop()
    assert _reaper.processes(own.directory, proc=tmp_path) == []


@pytest.mark.one_version
def test_a_place_whose_socket_path_is_too_long_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 100)
    place.mkdir()
    place.chmod(0o755)
    from pggit_chaos.cluster import _suitable

    assert not _suitable(place, None)


@pytest.mark.one_version
def test_programs_that_the_server_user_cannot_reach_are_copied(
    programs: Binaries, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root hands the server to somebody else")
    closed = tmp_path / "closed"
    copy = closed / programs.root.name
    shutil.copytree(programs.root, copy, symlinks=True)
    closed.chmod(0o700)
    moved = binaries.find(copy / programs.bindir.relative_to(programs.root))
    with Cluster(programs=moved) as cluster, cluster.connect() as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.one_version
def test_reachability_is_judged_as_that_user(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    file = tmp_path / "file"
    file.touch()
    tmp_path.chmod(0o755)
    file.chmod(0o600)
    assert tree.reachable(Path("/bin/sh"), nobody.pw_uid, nobody.pw_gid)
    assert not tree.reachable(file, nobody.pw_uid, nobody.pw_gid)


def test_a_directory_of_extensions_may_be_named_from_where_one_stands(
    programs: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/nothing.control").write_text("default_version = '1'\n")
    monkeypatch.chdir(tmp_path)
    with Cluster(programs=programs, extensions=[Path("more")]) as cluster:
        assert (cluster.programs.sharedir / "extension/nothing.control").read_text()
