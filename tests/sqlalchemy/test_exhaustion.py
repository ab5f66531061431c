"""No connection is to be had: the pool says so, or the server, and nothing is stored twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from pggit_chaos import Chaos, Cluster
from pggit_chaos.retry import is_connection_lost, with_retry
from shop import SCOPE, Shop, order, place

BEFORE = "pggit.commits.insert.before"
SEATS = 8
ALONE = """
SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' HAVING count(*) = 1
"""
Crowd = tuple[Cluster, ExitStack, Shop]


@pytest.fixture
def small(make_engine: Callable[..., Engine]) -> Engine:
    """An engine with one connection, for which nobody waits long."""
    return make_engine(pool_size=1, max_overflow=0, pool_timeout=0.05)


def test_a_pool_that_is_used_up_says_so_and_no_sqlstate_does(small: Engine, shop: Shop) -> None:
    with Session(small) as session:
        place(session, "a chair")
        with pytest.raises(PoolTimeoutError, match="QueuePool"):
            order(small, "a table")
        session.commit()
    order(small, "a bed")
    stored = [shop.stored(item) for item in ("a chair", "a table", "a bed")]
    assert stored == [(1, 1), (0, 0), (1, 1)]


def test_an_order_that_waited_for_the_pool_is_stored_once_it_may_run(
    small: Engine, shop: Shop
) -> None:
    with Session(small) as session:
        place(session, "a chair")
        with_retry(
            lambda: order(small, "a table"),
            backoff=0,
            retry_on=lambda error: isinstance(error, PoolTimeoutError),
            before_retry=lambda _: session.commit(),
        )
    assert [shop.stored(item) for item in ("a chair", "a table")] == [(1, 1), (1, 1)]


def test_a_commit_that_fails_gives_its_connection_back(
    small: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(BEFORE, "3*error(53200)", scope=SCOPE) as fault:
        for _ in range(3):
            with pytest.raises(OperationalError):
                order(small, "a chair")
        order(small, "a chair")
    assert fault.fired == 3
    assert shop.stored("a chair") == (1, 1)


@pytest.fixture
def crowded(fresh_cluster: Callable[..., Cluster]) -> Iterator[Crowd]:
    """A server that has no seat left, the crowd in it, which may leave, and the shop."""
    cluster = fresh_cluster(settings={"max_connections": str(SEATS)})
    with cluster.connect("pggit", autocommit=True) as conn, ExitStack() as crowd:
        shop = Shop(conn)
        shop.wait_for(ALONE)  # and not for whoever made the database
        for _ in range(SEATS - 1):
            crowd.enter_context(cluster.connect("pggit"))
        yield cluster, crowd, shop


def test_a_server_that_is_full_lets_nobody_in_and_harms_nobody(
    make_engine: Callable[..., Engine], crowded: Crowd
) -> None:
    cluster, crowd, shop = crowded
    engine = make_engine(cluster.dsn("pggit"))
    with pytest.raises(OperationalError) as caught:
        order(engine, "a chair")
    # Before a session has begun libpq hands on the text alone, and no SQLSTATE.
    assert caught.value.orig.sqlstate is None
    assert " 53300 " in cluster.log
    assert not caught.value.connection_invalidated
    assert shop.stored("a chair") == (0, 0)
    _leave(crowd, shop)
    order(engine, "a chair")
    assert shop.stored("a chair") == (1, 1)


def test_an_order_that_waited_for_the_server_is_stored_once(
    make_engine: Callable[..., Engine], crowded: Crowd
) -> None:
    cluster, crowd, shop = crowded
    engine = make_engine(cluster.dsn("pggit"))
    with_retry(
        lambda: order(engine, "a chair"),
        max_attempts=20,
        backoff=0.01,
        retry_on=lambda error: is_connection_lost(error.orig),
        before_retry=lambda _: crowd.close(),
    )
    assert shop.stored("a chair") == (1, 1)


def test_whoever_has_a_connection_goes_on_in_a_full_server(
    make_engine: Callable[..., Engine], crowded: Crowd
) -> None:
    cluster, crowd, shop = crowded
    _leave(crowd, shop)
    engine = make_engine(cluster.dsn("pggit"), pool_size=1)
    with Session(engine) as session, ExitStack() as more:
        place(session, "a chair")
        with pytest.raises(psycopg.OperationalError):
            _fill(cluster, more)
        session.commit()
    assert shop.stored("a chair") == (1, 1)


def _leave(crowd: ExitStack, shop: Shop) -> None:
    """Have everybody leave, and wait until the server has noticed."""
    crowd.close()
    shop.wait_for(ALONE)


def _fill(cluster: Cluster, crowd: ExitStack) -> None:
    """Connect until the server refuses."""
    for _ in range(SEATS + 1):
        crowd.enter_context(cluster.connect("pggit"))
