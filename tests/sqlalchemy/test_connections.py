"""Chaos works over what SQLAlchemy holds: a Connection, a Session, an AsyncConnection."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from pggit_chaos import AsyncChaos, Chaos
from pggit_chaos.errors import UsageError
from shop import Shop, place

COMMITS = "pggit.commits.insert.after"
COMMIT = text("SELECT pggit.commit_changes('main', 'an order', NULL)")


@pytest.fixture
def connection(engine: Engine, chaos: Chaos) -> Connection:
    with engine.connect() as connection:
        yield connection


def test_the_connection_is_psycopgs_own(connection: Connection) -> None:
    assert Chaos(connection).conn is connection.connection.driver_connection


def test_a_fault_strikes_what_a_connection_does(connection: Connection) -> None:
    with Chaos(connection).fault(COMMITS, "error(40001)") as fault:
        with pytest.raises(OperationalError) as caught:
            connection.execute(COMMIT)
        connection.rollback()
    assert isinstance(caught.value.orig, psycopg.errors.SerializationFailure)
    assert caught.value.orig.diag.schema_name == "pggit_chaos"
    assert fault.fired == 1
    connection.execute(COMMIT)


def test_a_fault_strikes_what_a_session_does(engine: Engine, chaos: Chaos, shop: Shop) -> None:
    with Session(engine) as session:
        with Chaos(session).fault(COMMITS, "1*error(40001)") as fault:
            with pytest.raises(OperationalError):
                place(session, "a chair")
            session.rollback()
            place(session, "a chair")
            session.commit()
        assert fault.fired == 1
    assert shop.stored("a chair") == (1, 1)


def test_a_session_may_be_bound_to_a_connection(connection: Connection, shop: Shop) -> None:
    with Session(connection) as session, Chaos(session).fault(COMMITS, "1*error(40001)") as fault:
        with pytest.raises(OperationalError):
            place(session, "a chair")
        session.rollback()
        place(session, "a chair")
        session.commit()
    assert fault.fired == 1
    assert shop.stored("a chair") == (1, 1)


def test_to_arm_a_fault_commits_nothing_of_a_sessions_work(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with Session(engine) as session:
        place(session, "a chair")
        with Chaos(session).fault(COMMITS, "off"):
            assert shop.stored("a chair") == (0, 0)
        session.rollback()
    assert shop.stored("a chair") == (0, 0)


def test_no_fault_is_left_in_a_connection_that_went_back_to_its_pool(
    engine: Engine, chaos: Chaos
) -> None:
    with Session(engine) as session, Chaos(session).fault(COMMITS, "error(40001)"):
        session.rollback()
    with engine.connect() as connection:
        connection.execute(COMMIT)


def test_autocommit_is_respected(make_engine: Callable[..., Engine], chaos: Chaos) -> None:
    engine = make_engine(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        with Chaos(connection).fault(COMMITS, "1*error(40001)") as fault:
            with pytest.raises(OperationalError):
                connection.execute(COMMIT)
            connection.execute(COMMIT)
        assert (fault.hits, fault.fired) == (2, 1)


def test_a_lock_is_held_by_a_connection_of_the_engines(
    engine: Engine, connection: Connection, chaos: Chaos
) -> None:
    connection.execute(text("SET lock_timeout = '50ms'"))
    connection.commit()
    with engine.connect() as holder, chaos.lock("pggit.commits", holder=holder):
        with pytest.raises(OperationalError) as caught:
            connection.execute(COMMIT)
    connection.rollback()
    assert caught.value.orig.sqlstate == "55P03"
    connection.execute(COMMIT)


async def test_a_fault_strikes_what_an_async_connection_does(
    chaos_database: str, chaos: Chaos, async_runner: object
) -> None:
    arguments = conninfo_to_dict(chaos_database)
    engine = create_async_engine("postgresql+psycopg_async://", connect_args=arguments)
    async with engine.connect() as connection:
        async with AsyncChaos(connection).fault(COMMITS, "error(40001)") as fault:
            with pytest.raises(OperationalError):
                await connection.execute(COMMIT)
            await connection.rollback()
        assert await fault.fired == 1
        await connection.execute(COMMIT)
    await engine.dispose()


def test_another_driver_is_refused_with_the_url_to_use() -> None:
    with create_engine("sqlite://").connect() as connection:
        with pytest.raises(UsageError, match="pysqlite") as caught:
            Chaos(connection)
    assert "postgresql+psycopg://" in str(caught.value.hint)


def test_an_engine_is_refused_for_it_holds_no_connection(engine: Engine) -> None:
    with pytest.raises(UsageError) as caught:
        Chaos(engine)  # type: ignore[arg-type]
    assert "Session" in str(caught.value.hint)


def test_nobody_else_pays_for_sqlalchemy() -> None:
    program = "import sys, pggit_chaos.chaos; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
