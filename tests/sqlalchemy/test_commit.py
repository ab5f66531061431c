"""COMMIT itself fails, when the application believes that all is done."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from pggit_chaos import Chaos
from shop import SCOPE, Order, Shop, order, place

AT_COMMIT = "pggit.commits.insert.commit"


def test_a_commit_that_fails_raises_and_stores_nothing(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(AT_COMMIT, "error(40001)", scope=SCOPE) as fault, Session(engine) as session:
        place(session, "a chair")
        assert fault.fired == 0
        with pytest.raises(OperationalError) as caught:
            session.commit()
    assert fault.fired == 1
    assert caught.value.orig.sqlstate == "40001"
    assert shop.stored("a chair") == (0, 0)


def test_the_class_of_the_error_is_that_of_its_sqlstate(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(AT_COMMIT, "error(23505)", scope=SCOPE) as fault:
        with pytest.raises(IntegrityError):
            order(engine, "a chair")
    assert fault.fired == 1
    assert shop.stored("a chair") == (0, 0)


def test_after_it_the_same_session_stores_the_order_once(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(AT_COMMIT, "1*error(40001)", scope=SCOPE), Session(engine) as session:
        place(session, "a chair")
        with pytest.raises(OperationalError):
            session.commit()
        session.rollback()
        place(session, "a chair")
        session.commit()
    assert shop.stored("a chair") == (1, 1)


def test_objects_of_a_commit_that_failed_are_no_longer_the_sessions(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(AT_COMMIT, "1*error(40001)", scope=SCOPE), Session(engine) as session:
        chair = place(session, "a chair")
        with pytest.raises(OperationalError):
            session.commit()
        session.rollback()
        assert chair not in session
        assert session.get(Order, 1) is None


def test_a_savepoint_loses_its_own_work_alone(engine: Engine, chaos: Chaos, shop: Shop) -> None:
    before = "pggit.commits.insert.before"
    with Session(engine) as session, session.begin():
        place(session, "a chair")
        with chaos.fault(before, "error(40001)", scope=SCOPE) as fault:
            with pytest.raises(OperationalError), session.begin_nested():
                place(session, "a table")
        assert fault.fired == 1
    assert [shop.stored(item) for item in ("a chair", "a table")] == [(1, 1), (0, 0)]


def test_an_error_that_the_application_swallows_makes_its_commit_a_rollback(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    """PostgreSQL answers ROLLBACK to such a COMMIT, and nobody raises: never go on after one."""
    before = "pggit.commits.insert.before"
    with chaos.fault(before, "error(40001)", scope=SCOPE) as fault:
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO public.orders (item) VALUES ('a chair')"))
            with pytest.raises(OperationalError):
                connection.execute(text("SELECT pggit.commit_changes('main', 'a chair', NULL)"))
            connection.commit()
    assert fault.fired == 1
    assert shop.stored("a chair") == (0, 0)
