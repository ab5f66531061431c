"""Whoever dies in the middle of a drill or a sweep: one call puts pgGit back."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalogue import fingerprint
from engine.victim import WORK
from patience import until
from pggit_chaos import extension, pggit_source, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target
from servers.fleet import SETTINGS, Fleet

DATABASE = "killing_ground"
WHO = ("driver", "session", "server")

# Sequences move at once and for everybody: each time that one has moved, the victim has
# come a step further.  A sweep arms once, and counts its hits from zero for each run.
PROGRESS = """
SELECT (SELECT last_value FROM pggit_chaos._fault_id),
       (SELECT last_value FROM pggit_chaos._corruption_corruption_id_seq),
       (SELECT array_agg(pg_sequence_last_value(c.oid)) FROM pg_class AS c
         WHERE c.relnamespace = 'pggit_chaos'::regnamespace
           AND CASE WHEN c.relkind = 'S' THEN c.relname ~ '^_slot_.*_hits$' END)
"""
LEFT = """
SELECT (SELECT count(*) FROM pggit_chaos.corruption WHERE state = 'present'),
       (SELECT count(*) FROM pggit_chaos.fault WHERE state = 'armed'),
       (SELECT count(*) FROM pggit_chaos.failpoint)
"""


@dataclass
class Ground:
    """A server of its own, with a pgGit that has been used, and what it looked like."""

    cluster: Cluster
    digest: str = ""
    whole: Any = None

    def connect(self) -> psycopg.Connection[Any]:
        return self.cluster.connect(DATABASE, autocommit=True)

    def scalar(self, query: str) -> Any:
        with self.connect() as conn:
            row = conn.execute(query).fetchone()
        return row[0] if row else None

    def look(self) -> None:
        """Remember how things are, on disk too: a crash moves sequences on to the last WAL."""
        with self.connect() as conn:
            conn.execute("CHECKPOINT")
            self.digest = self.scalar("SELECT pggit_chaos.state_digest()")
            self.whole = fingerprint(conn)

    def status(self) -> dict[str, int]:
        """What the command line says is left."""
        dsn = self.cluster.dsn(DATABASE)
        result = subprocess.run(
            [sys.executable, "-m", "pggit_chaos", "status", "--dsn", dsn, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode in {0, 1}, result.stderr
        return {each["what"]: each["state"] for each in json.loads(result.stdout)["status"]}


@contextmanager
def ground_of(fleet: Fleet, version: str, source: Path | None) -> Iterator[Ground]:
    with Cluster(programs=fleet.programs(version), settings=SETTINGS) as cluster:
        cluster.create_database(DATABASE)
        ground = Ground(cluster=cluster)
        if source is not None:
            pggit_source.install(cluster.dsn(DATABASE), source)
        with ground.connect() as conn:
            if source is None:
                reference.load(conn)
            extension.install(conn)
            extension.enable(conn)
            target = Target(conn)
            target.furnish(steps=20)
            target.prepare()
        yield ground


@contextmanager
def victim(ground: Ground, work: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a driver at work, with the process id of its session."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).parent / "victim.py"),
            ground.cluster.dsn(DATABASE),
            work,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(ground: Ground, who: str, work: str, after: int) -> None:
    """Let the work come so far, and end it."""
    with victim(ground, work) as (process, pid):
        with ground.connect() as watcher:
            seen: list[object] = []

            def steps() -> int:
                now = watcher.execute(PROGRESS).fetchone()
                if [now] != seen[-1:]:
                    seen.append(now)
                return len(seen)

            until(lambda: steps() > after)
        with ground.cluster.crashing() if who == "session" else nullcontext():
            if who == "driver":
                process.kill()
            elif who == "session":
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            else:
                ground.cluster.kill()
    if who == "server":
        ground.cluster.start()
    gone = f"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})"
    until(lambda: ground.scalar(gone))


def put_back(ground: Ground, work: str) -> bool:
    """What is left is told, and is gone after the one call; return whether anything was."""
    with ground.connect() as conn:
        corruptions, faults, failpoints = conn.execute(LEFT).fetchone()
    told = ground.status()
    assert told["present corruptions"] == corruptions
    assert told["armed faults"] == faults
    assert told["failpoints"] == failpoints
    assert told["broken hooks"] == 0
    with ground.connect() as conn:
        conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")
        assert conn.execute(LEFT).fetchone() == (0, 0, 0)
        assert conn.execute("SELECT pggit_chaos._armed() IS TRUE").fetchone() == (False,)
        assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == (ground.digest,)
        if work == "corrupt":
            ground.whole = fingerprint(conn)  # a constraint that was put back is a new one
        after = fingerprint(conn)
        assert {name for name in after if after[name] != ground.whole.get(name)} == set()
        conn.execute("CHECKPOINT")
    return (corruptions, faults, failpoints) != (0, 0, 0)


def kills(ground: Ground, count: int) -> None:
    ground.look()
    left = []
    for seed in range(count):
        choice = random.Random(seed)
        # Each kind of death in each kind of work, and then again.
        who = WHO[seed % len(WHO)]
        work = sorted(WORK)[seed // len(WHO) % len(WORK)]
        kill(ground, who, work, after=choice.randint(1, 30))
        left.append(put_back(ground, work))
    # The deaths are worth something.
    assert any(left)


@pytest.mark.one_version
@pytest.mark.timeout(3600)
def test_no_death_leaves_more_than_one_call_puts_back(fleet, server_version, effort):
    with ground_of(fleet, server_version, None) as ground:
        kills(ground, effort.kills)


@pytest.mark.one_version
@pytest.mark.timeout(4 * 3600)
def test_nor_does_it_in_a_real_pggit(fleet, server_version, checkout, effort):
    with ground_of(fleet, server_version, checkout) as ground:
        kills(ground, effort.kills)
