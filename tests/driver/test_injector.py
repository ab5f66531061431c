"""Sessions that are really ended, delays that are really waited, state that is really compared."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from psycopg import errors

from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import UsageError
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]


def _delays(injector: ChaosInjector) -> list[float]:
    async def five() -> list[float]:
        return [await injector.random_delay(0, 2) for _ in range(5)]

    return asyncio.run(five())


@pytest.mark.one_version
def test_one_seed_makes_the_same_delays() -> None:
    assert _delays(ChaosInjector(seed=7)) == _delays(ChaosInjector(seed=7))
    assert _delays(ChaosInjector(seed=7)) != _delays(ChaosInjector(seed=8))


@pytest.mark.one_version
def test_a_delay_lasts_as_long_as_it_says() -> None:
    begun = time.monotonic()
    delay = asyncio.run(ChaosInjector().random_delay(20, 30))
    assert 20 <= delay <= 30
    assert (time.monotonic() - begun) * 1000 >= delay


@pytest.mark.one_version
@pytest.mark.parametrize(("least", "most"), [(-1, 1), (2, 1)])
def test_a_delay_that_cannot_be_is_refused(least: float, most: float) -> None:
    with pytest.raises(UsageError):
        asyncio.run(ChaosInjector().random_delay(least, most))


def test_a_connection_failure_ends_the_session(
    cluster: Cluster, database: str, conn: Connection
) -> None:
    with cluster.connect(database) as victim:
        Target(victim).commit("main", "not to be kept")
        pid = victim.info.backend_pid
        before = ChaosInjector(victim, conn).snapshot()
        with ChaosInjector(victim, conn).simulate_connection_failure() as failure:
            assert failure.struck
            gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            assert conn.execute(gone, (pid,)).fetchone() == (0,)
            with pytest.raises(errors.AdminShutdown):
                victim.execute("SELECT")
        assert before.changes(ChaosInjector(observer=conn).snapshot()) == []


def test_an_async_session_is_ended_too(cluster: Cluster, database: str, conn: Connection) -> None:
    async def lose() -> None:
        victim = await psycopg.AsyncConnection.connect(cluster.dsn(database))
        with ChaosInjector(victim, conn).simulate_connection_failure():
            with pytest.raises(errors.AdminShutdown):
                await victim.execute("SELECT")
        await victim.close()

    asyncio.run(lose())


def test_a_connection_fails_as_often_as_the_seed_says(
    cluster: Cluster, database: str, conn: Connection
) -> None:
    def struck(seed: int) -> list[bool]:
        with cluster.connect(database) as victim:
            injector = ChaosInjector(victim, conn, seed=seed)
            injector.terminate = lambda: None  # type: ignore[method-assign]
            done = []
            for _ in range(20):
                with injector.simulate_connection_failure(0.5) as failure:
                    done.append(failure.struck)
            return done

    assert struck(1) == struck(1) != struck(2)
    assert 0 < sum(struck(1)) < 20


def test_improbable_failures_never_come(cluster: Cluster, database: str, conn: Connection) -> None:
    with cluster.connect(database) as victim:
        with ChaosInjector(victim, conn).simulate_connection_failure(0) as failure:
            assert not failure.struck
            victim.execute("SELECT")


@pytest.mark.one_version
@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(UsageError):
        ChaosInjector().simulate_connection_failure(probability).__enter__()


@pytest.mark.one_version
def test_without_connections_it_says_what_is_missing(conn: Connection) -> None:
    with pytest.raises(UsageError, match="no session"):
        ChaosInjector(observer=conn).terminate()
    with pytest.raises(UsageError, match="second connection"):
        ChaosInjector(conn).terminate()


def test_a_snapshot_tells_what_changed(conn: Connection) -> None:
    injector = ChaosInjector(observer=conn)
    before = injector.snapshot()
    assert before.changes(injector.snapshot()) == []
    Target(conn).commit("main", "a message")
    changes = before.changes(injector.snapshot())
    assert "pggit.commits" in changes
    assert "pggit.data_branches" not in changes
