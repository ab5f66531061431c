"""The benchmark of fsck() runs and prints every bar.  What they come to, a test must not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version


def test_it_prints_ratios_and_the_share_of_each_check(fleet: Fleet, server_version: str) -> None:
    sizes = ["--commits=100", "--history=100", "--objects=100", "--branches=10", "--rounds=1"]
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/fsck.py", "--format=json", *sizes),
            *("--pg-bindir", fleet.programs(server_version).bindir),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "driver")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    said = json.loads(done.stdout)
    held = {row["ratio"]: row["holds"] for row in said["ratios"]}
    assert set(held) - {"memory (MB)"} == {
        "fsck() over one read of all",
        "fsck() over that of a tenth",
        "fsck() with digests over one read of all",
        "fsck() with digests over that of a tenth",
        "temporary files (MB)",
    }
    assert done.returncode == int(not all(held.values()))
    assert "commit_parent_missing" in {row["check"] for row in said["checks"]}
