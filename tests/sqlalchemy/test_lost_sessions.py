"""A server that ends the sessions of an application: what it sees, and what it has stored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.orm import Session

from pggit_chaos import Chaos, Cluster
from pggit_chaos.retry import is_connection_lost, with_retry
from shop import SCOPE, Shop, order, place

IN_THE_MIDDLE = "pggit.commits.insert.after"
AT_COMMIT = "pggit.commits.insert.commit"


def _warm(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("failpoint", [IN_THE_MIDDLE, AT_COMMIT])
def test_a_session_that_ends_while_pggit_commits_stores_nothing(
    engine: Engine, chaos: Chaos, shop: Shop, failpoint: str
) -> None:
    with chaos.fault(failpoint, "1*terminate", scope=SCOPE) as fault:
        with pytest.raises(OperationalError) as caught:
            order(engine, "a chair")
    assert fault.fired == 1
    assert caught.value.connection_invalidated
    assert caught.value.orig.sqlstate == "57P01"
    assert shop.stored("a chair") == (0, 0)


def test_the_session_object_goes_on_after_its_rollback(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with Session(engine) as session:
        with chaos.fault(IN_THE_MIDDLE, "1*terminate", scope=SCOPE):
            with pytest.raises(OperationalError):
                place(session, "a chair")
        with pytest.raises(PendingRollbackError):
            session.execute(text("SELECT 1"))
        session.rollback()
        place(session, "a table")
        session.commit()
    assert shop.stored("a chair") == (0, 0)
    assert shop.stored("a table") == (1, 1)


@pytest.mark.parametrize("failpoint", [IN_THE_MIDDLE, AT_COMMIT])
def test_a_transaction_that_is_run_again_is_applied_once(
    engine: Engine, chaos: Chaos, shop: Shop, failpoint: str
) -> None:
    with chaos.fault(failpoint, "2*terminate", scope=SCOPE) as fault:
        with_retry(lambda: order(engine, "a chair"), 3, 0, retry_on=_is_lost)
    assert fault.fired == 2
    assert shop.stored("a chair") == (1, 1)


def test_a_pool_hands_out_what_ended_while_it_was_idle(engine: Engine, shop: Shop) -> None:
    _warm(engine)
    assert shop.end_sessions() == 1
    with pytest.raises(OperationalError) as caught:
        order(engine, "a chair")
    assert caught.value.connection_invalidated
    order(engine, "a chair")
    assert shop.stored("a chair") == (1, 1)


def test_one_lost_session_makes_the_pool_forget_the_others(engine: Engine, shop: Shop) -> None:
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            connection.execute(text("SELECT 1"))
    assert shop.end_sessions() == 2
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT 1"))
    for _ in range(2):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))


def test_pool_pre_ping_hides_what_ended_while_it_was_idle(
    make_engine: Callable[..., Engine], shop: Shop
) -> None:
    engine = make_engine(pool_pre_ping=True)
    _warm(engine)
    (before,) = shop.sessions()
    assert shop.end_sessions() == 1
    order(engine, "a chair")
    assert shop.sessions() != [before]
    assert shop.stored("a chair") == (1, 1)


def test_pool_pre_ping_hides_nothing_that_ends_in_a_transaction(
    make_engine: Callable[..., Engine], shop: Shop
) -> None:
    engine = make_engine(pool_pre_ping=True)
    with Session(engine) as session:
        place(session, "a chair")
        assert shop.end_sessions() == 1
        with pytest.raises(OperationalError) as caught:
            session.commit()
    assert caught.value.orig.sqlstate == "57P01"
    assert shop.stored("a chair") == (0, 0)


def test_one_worker_that_is_ended_takes_no_other_along(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    items = ["a chair", "a table", "a bed"]
    with chaos.fault(IN_THE_MIDDLE, "1*off->1*terminate->off", scope=SCOPE) as fault:
        with ThreadPoolExecutor(len(items)) as workers:
            errors = [
                done.exception() for done in [workers.submit(order, engine, i) for i in items]
            ]
    assert fault.fired == 1
    assert [shop.stored(item) for item in items] == [
        (1, 1) if error is None else (0, 0) for error in errors
    ]
    assert [error.orig.sqlstate for error in errors if error is not None] == ["57P01"]


def test_a_crash_of_the_server_loses_what_was_not_committed_and_nothing_else(
    make_engine: Callable[..., Engine], fresh_cluster: Callable[..., Cluster]
) -> None:
    cluster = fresh_cluster()
    engine = make_engine(cluster.dsn("pggit"))
    with cluster.connect("pggit", autocommit=True) as conn:
        shop = Shop(conn)
    with Session(engine) as session:
        place(session, "a chair")
        session.commit()
        place(session, "a table")
        cluster.crash()
        with pytest.raises(OperationalError) as caught:
            session.commit()
        session.rollback()
        place(session, "a bed")
        session.commit()
    assert caught.value.connection_invalidated
    with cluster.connect("pggit") as shop.conn:
        stored = [shop.stored(item) for item in ("a chair", "a table", "a bed")]
    assert stored == [(1, 1), (0, 0), (1, 1)]


def test_an_answer_that_is_lost_is_no_lost_commit(
    make_engine: Callable[..., Engine], fresh_cluster: Callable[..., Cluster]
) -> None:
    """A session that is lost at COMMIT may have committed: look, before it is run again.

    Here the server waits for a standby that does not exist.  The commit is on disk by then.
    """
    cluster = fresh_cluster(
        settings={
            "wal_level": "replica",
            "max_wal_senders": "1",
            "synchronous_standby_names": "nobody",
            "synchronous_commit": "local",
        }
    )
    engine = make_engine(cluster.dsn("pggit", options="-c synchronous_commit=on"))
    with cluster.connect("pggit", autocommit=True) as conn, ThreadPoolExecutor(1) as worker:
        shop = Shop(conn)
        answer = worker.submit(_order_unless_stored, engine, shop, "a chair")
        shop.wait_for("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        shop.end_sessions()
        (lost,) = answer.result(10)
        assert is_connection_lost(lost.orig)
        assert shop.stored("a chair") == (1, 1)


def _order_unless_stored(engine: Engine, shop: Shop, item: str) -> list[DBAPIError]:
    """Store an order for certain; return the errors that came in its way."""
    seen = []
    while shop.stored(item) == (0, 0):
        try:
            order(engine, item)
        except OperationalError as error:
            seen.append(error)
    return seen


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and is_connection_lost(error.orig)
