"""Deadlocks that come every time."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.deadlock import DeadlockSetup
from pggit_chaos.errors import ChaosError
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]


@pytest.fixture
def setup(cluster: Cluster, database: str, conn: Connection) -> DeadlockSetup:
    for branch in ("one", "two"):
        Target(conn).create_branch(branch)
    return DeadlockSetup(lambda: cluster.connect(database))


def _commit_to(branch: str, conn: Connection) -> None:
    Target(conn).commit(branch, f"by {conn.info.backend_pid}")


def _one(conn: Connection) -> None:
    _commit_to("one", conn)


def _two(conn: Connection) -> None:
    _commit_to("two", conn)


def test_two_sessions_deadlock_and_one_goes_on(setup: DeadlockSetup, conn: Connection) -> None:
    with setup.deadlock(_one, _two) as deadlock:
        assert deadlock.error.sqlstate == "40P01"
        survivor = f"by {deadlock.survivor.info.backend_pid}"
        deadlock.survivor.commit()
        deadlock.loser.execute("SELECT")
    messages = conn.execute("SELECT message FROM pggit.commits").fetchall()
    assert messages == [(survivor,), (survivor,)]


def test_it_comes_every_time(setup: DeadlockSetup) -> None:
    for _ in range(5):
        with setup.deadlock(_one, _two) as deadlock:
            assert deadlock.error.sqlstate == "40P01"


def test_an_ordinary_role_can_deadlock_too(
    cluster: Cluster, database: str, conn: Connection, setup: DeadlockSetup
) -> None:
    conn.execute("CREATE ROLE ordinary_committer LOGIN")
    try:
        ordinary = DeadlockSetup(lambda: cluster.connect(database, user="ordinary_committer"))
        with ordinary.deadlock(_one, _two) as deadlock:
            assert deadlock.error.sqlstate == "40P01"
    finally:
        conn.execute("DROP ROLE ordinary_committer")


def test_steps_that_do_not_meet_are_told(setup: DeadlockSetup) -> None:
    def nothing(conn: Connection) -> None:
        conn.execute("SELECT")

    with pytest.raises(ChaosError, match="did not have to wait"):
        setup.deadlock(_one, nothing).__enter__()


def test_an_error_of_a_step_is_raised_as_it_is(setup: DeadlockSetup) -> None:
    def wrong(conn: Connection) -> None:
        conn.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        setup.deadlock(wrong, _two).__enter__()
