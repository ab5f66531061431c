"""The benchmark runs and prints every ratio.  What they come to, a test must not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version

RATIOS = {
    *(
        f"{work}: {side}"
        for work in ("commit", "CREATE TABLE")
        for side in (
            "the same again",
            "no hooks",
            "hooks, nothing armed",
            "armed elsewhere",
            "armed elsewhere, database",
            "armed for another session",
            "function hooks alone",
            "function and DDL hooks",
            "function, DDL and row hooks",
        )
    ),
    "cost of a disarmed hit over a no-op call",
    "fault points a second, sweep over clones",
}


@pytest.fixture(scope="module")
def done(fleet: Fleet, server_version: str) -> subprocess.CompletedProcess[str]:
    smallest = [f"--{name}=1" for name in ("rounds", "turns", "transactions", "clones")]
    return subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/engine.py", "--format=json", "--by-kind"),
            *("--pg-bindir", fleet.programs(server_version).bindir, "--loops=1000", *smallest),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "driver")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_every_ratio_with_its_spread(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode in {0, 1}, done.stderr
    rows = json.loads(done.stdout)["ratios"]
    assert {row["ratio"] for row in rows} == RATIOS
    for row in rows:
        assert float(row["min"]) <= float(row["median"]) <= float(row["max"])


def test_it_prints_the_failpoints_that_the_work_passes(
    done: subprocess.CompletedProcess[str],
) -> None:
    rows = json.loads(done.stdout)["failpoints"]
    assert {row["kind"] for row in rows} == {"function", "table", "commit", "ddl"}
    assert all(row["hits"] >= 1 for row in rows)


def test_it_says_which_bars_hold_and_exits_by_that(
    done: subprocess.CompletedProcess[str],
) -> None:
    held = [row["holds"] for row in json.loads(done.stdout)["ratios"] if row["bar"] is not None]
    assert done.returncode == int(not all(held))
    assert done.stderr.splitlines()[-1] == (
        "every bar holds" if all(held) else f"{held.count(False)} bars are missed"
    )
