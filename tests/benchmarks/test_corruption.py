"""The benchmark of corruptions runs and tells of every kind.  How long, a test must not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version


@pytest.fixture(scope="module")
def done(fleet: Fleet, server_version: str) -> subprocess.CompletedProcess[str]:
    sizes = {"commits": 400, "history": 400, "objects": 100, "branches": 4, "turns": 1}
    return subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/corruption.py", "--format=json"),
            *("--pg-bindir", fleet.programs(server_version).bindir),
            *(f"--{name}={size}" for name, size in sizes.items()),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "driver")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_measures_every_kind(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode in {0, 1}, done.stderr
    rows = json.loads(done.stdout)["corruptions"]
    kinds = {path.stem for path in (ROOT / "sql/50_corruption/kinds").glob("*.sql")}
    assert {row["kind"] for row in rows} == kinds
    unmeasured = {row["kind"] for row in rows if row["corrupt_ms"] is None}
    assert {row["kind"] for row in rows if row["note"] == "nothing to corrupt"} == unmeasured
    assert len(unmeasured) < 5


def test_it_says_which_bars_hold_and_exits_by_that(
    done: subprocess.CompletedProcess[str],
) -> None:
    held = [row["holds"] for row in json.loads(done.stdout)["corruptions"]]
    assert done.returncode == int(False in held)
    assert done.stderr.splitlines()[-1] == (
        f"{held.count(False)} bars are missed" if False in held else "every bar holds"
    )


def test_it_compares_drills_with_the_whole_fsck(done: subprocess.CompletedProcess[str]) -> None:
    rows = json.loads(done.stdout)["drills"]
    assert all(row["over_fsck"] > 0 for row in rows)
    assert len(rows) == 5
