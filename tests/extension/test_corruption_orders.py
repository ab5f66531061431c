"""Corruptions are healed exactly, in whatever order, and whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue import fingerprint
from extension.test_corruption import KINDS, corrupt, heal, state
from nightly import NIGHTLY
from patience import until
from pggit_chaos import binaries, extension, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target
from servers.fleet import Fleet

pytestmark = pytest.mark.ends_will_do

PRESENT = "SELECT count(*) FROM pggit_chaos.corruption WHERE state = 'present'"


@pytest.mark.timeout(3600)
@pytest.mark.one_version
@settings(
    max_examples=500 if NIGHTLY else 25,
    deadline=None,
    database=None,
    derandomize=not NIGHTLY,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    plan=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), min_size=2, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_any_set_of_corruptions_is_healed_in_any_order(used, plan, order):
    before = state(used)
    with used.transaction(force_rollback=True):
        waiting = [done for kind, seed in plan if (done := attempt(used, kind, seed)) is not None]
        order.shuffle(waiting)
        while waiting:
            healed = [corruption for corruption in waiting if heals(used, corruption)]
            assert healed, f"none of {waiting} can be healed"
            waiting = [corruption for corruption in waiting if corruption not in healed]
        assert state(used) == before
        assert used.execute(PRESENT).fetchone() == (0,)


def attempt(conn, kind, seed):
    """Corrupt, and return the id, or None where there is nothing to corrupt."""
    try:
        with conn.transaction():
            return corrupt(conn, kind, seed)
    except psycopg.DatabaseError as error:
        assert error.sqlstate == "PC004", error  # noqa: PT017 only then is it no failure
        return None


def heals(conn, corruption):
    """Heal; a row whose unique key another corruption has taken has to wait for that one."""
    try:
        with conn.transaction():
            return heal(conn, corruption)
    except psycopg.DatabaseError as error:
        assert "another row took the place" in str(error), error  # noqa: PT017 as above
        return False


def test_an_older_corruption_of_the_same_definition_is_healed_below_the_newer(used):
    before = state(used)
    older = corrupt(used, "event_trigger_redirected")
    (trigger,) = used.execute(
        "SELECT relation FROM pggit_chaos.corruption WHERE corruption_id = %s", [older]
    ).fetchone()
    newer = next(
        corruption
        for seed in range(50)
        if (corruption := same_object(used, "event_trigger_dropped", seed, trigger)) is not None
    )
    assert heal(used, older) is True
    assert used.execute("SELECT check_id FROM pggit_chaos.fsck()").fetchall() == [
        ("event_trigger_missing",)
    ]
    assert heal(used, newer) is True
    assert state(used) == before


def same_object(conn, kind, seed, name):
    """Corrupt if that hits the object of that name; else undo it and return None."""
    with conn.transaction() as attempt:
        corruption = corrupt(conn, kind, seed)
        hit = conn.execute(
            "SELECT relation FROM pggit_chaos.corruption WHERE corruption_id = %s", [corruption]
        ).fetchone()
        if hit != (name,):
            raise psycopg.Rollback(attempt)
        return corruption
    return None


# -- crashes


@pytest.fixture
def own(fleet: Fleet, server_version):
    """A server that the test may kill, and the database that it may spoil."""
    with Cluster(programs=fleet.programs(server_version)) as cluster:
        cluster.create_database("own")
        with cluster.connect("own", autocommit=True) as conn:
            reference.load(conn)
            extension.install(conn)
            extension.enable(conn)
            Target(conn).furnish(steps=20)
        yield cluster


@pytest.mark.one_version
@pytest.mark.parametrize("victim", ["session", "server"])
def test_a_crash_in_the_middle_of_healing_leaves_it_to_be_done_again(own, victim):
    with own.connect("own", autocommit=True) as conn:
        before = fingerprint(conn), state(conn)
        corrupt(conn, "branch_main_retired")
        corrupt(conn, "commit_message_lost")
        conn.execute("CHECKPOINT")
        damaged = state(conn)
    # heal_all() has put back the commit and stands before the branch.
    with closing(own.connect("own")) as holder:
        holder.execute("SELECT FROM pggit.branches WHERE name = 'main' FOR UPDATE")
        healer = own.connect("own", autocommit=True)
        thread = threading.Thread(target=dies, args=(healer,))
        thread.start()
        with own.connect("own", autocommit=True) as watcher:
            until(
                lambda: watcher.execute(
                    "SELECT pg_blocking_pids(%s) <> '{}'", [healer.info.backend_pid]
                ).fetchone()[0]
            )
        if victim == "server":
            own.kill()
        else:
            with own.crashing():
                os.kill(healer.info.backend_pid, signal.SIGKILL)
        thread.join()
    if victim == "server":
        own.start()
    with own.connect("own", autocommit=True) as conn:
        assert state(conn) == damaged
        assert conn.execute(PRESENT).fetchone() == (2,)
        assert conn.execute("SELECT pggit_chaos.heal_all()").fetchone() == (2,)
        assert (fingerprint(conn), state(conn)) == before


def dies(conn):
    with pytest.raises(psycopg.OperationalError):
        conn.execute("SELECT pggit_chaos.heal_all()")


@pytest.mark.one_version
def test_a_dump_after_healing_is_the_dump_from_before(cluster, used):
    programs = [
        found
        for found in binaries.available()
        if found.major == cluster.programs.major and found.program("pg_dump")
    ]
    if not programs:
        pytest.skip(f"not applicable: no pg_dump for PostgreSQL {cluster.programs.major} here")

    def dump():
        command = [programs[0].program("pg_dump"), "--dbname", cluster.dsn(used.info.dbname)]
        done = subprocess.run(
            [*command, "--exclude-schema=pggit_chaos"], check=True, capture_output=True, text=True
        )
        # Rows come in the order that they have on disk, and a random word guards restores.
        return sorted(line for line in done.stdout.splitlines() if "restrict" not in line)

    before = dump()
    done = [corruption for kind in KINDS if (corruption := attempt(used, kind, 1)) is not None]
    assert len(done) > 55
    assert dump() != before
    assert all(heal(used, corruption) for corruption in done), "oldest first"
    assert dump() == before
