"""Sessions that do something at the same time: each one's outcome is told as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.errors import ChaosError, NotApplicableError
from pggit_chaos.oracle import value
from pggit_chaos.target import Target

pytestmark = pytest.mark.one_version

Connect = Callable[..., psycopg.Connection[Any]]
LOCK = "SELECT pg_advisory_xact_lock(7)"


@pytest.fixture
def connect(cluster: Cluster, database: str) -> Iterator[Connect]:
    with ExitStack() as opened:

        def open_one(*, autocommit: bool = False) -> psycopg.Connection[Any]:
            return opened.enter_context(cluster.connect(database, autocommit=autocommit))

        yield open_one


@pytest.fixture
def crowd(connect: Connect) -> Crowd:
    return Crowd(connect)


@pytest.fixture
def chaos(connect: Connect) -> Iterator[Chaos]:
    chaos = Chaos(connect(autocommit=True))
    with chaos.hooks():
        yield chaos


def asking(query: str) -> Callable[[Target], Any]:
    return lambda target: value(target.conn, query)


def test_outcomes_come_in_the_order_of_the_works(crowd: Crowd) -> None:
    outcomes = crowd.together(asking("SELECT 1"), asking("SELECT 1/0"), asking("SELECT 3"))
    assert (outcomes[0], outcomes[2]) == (1, 3)
    assert sqlstates(outcomes) == ["22012"]
    assert errors(outcomes) == [outcomes[1]]


def test_each_work_has_a_session_of_its_own(crowd: Crowd) -> None:
    assert len(set(crowd.together(*[asking("SELECT pg_backend_pid()")] * 4))) == 4


def test_what_is_no_error_of_the_database_is_raised(crowd: Crowd) -> None:
    def lacking(target: Target) -> None:
        raise NotApplicableError("lacks it")

    with pytest.raises(NotApplicableError, match="lacks it"):
        crowd.together(lacking, asking("SELECT 1"))


def test_a_work_settles_where_it_waits_and_where_it_is_done(crowd: Crowd, connect: Connect) -> None:
    holder = connect()
    holder.execute(LOCK)
    with crowd.running(asking(LOCK)) as waiting, crowd.running(asking("SELECT 1")) as quick:
        assert not waiting.settle()
        assert waiting.blocked
        assert quick.settle()
        holder.rollback()
        assert waiting.outcome() is not None
        assert waiting.done


def test_a_work_stands_still_where_it_first_passes(
    crowd: Crowd, connect: Connect, chaos: Chaos
) -> None:
    count = "SELECT count(*) FROM pggit.commits"
    before = value(chaos.conn, count)

    def twice(target: Target) -> None:
        target.commit("main", "one")
        target.commit("main", "two")

    with crowd.halted(chaos, "pggit.commits.insert.before", twice) as halted:
        assert not halted.done
        assert value(chaos.conn, count) == before
        halted.go_on()
        halted.result()
    assert value(chaos.conn, count) == before + 2


def test_a_work_goes_on_behind_the_block(crowd: Crowd, chaos: Chaos) -> None:
    with crowd.halted(
        chaos, "pggit.commits.insert.before", lambda target: target.commit("main", "m")
    ) as halted:
        pass
    assert halted.result()


def test_a_work_that_does_not_get_there_says_why(crowd: Crowd, chaos: Chaos) -> None:
    with pytest.raises(ChaosError, match=r'ended without passing "pggit\.commits'):
        with crowd.halted(chaos, "pggit.commits.insert.before", asking("SELECT 1")):
            pass
    with pytest.raises(psycopg.errors.DivisionByZero):
        with crowd.halted(chaos, "pggit.commits.insert.before", asking("SELECT 1/0")):
            pass
