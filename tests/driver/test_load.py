"""Load: who works, how often, and what came of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import UsageError
from pggit_chaos.load import LoadGenerator
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]


@pytest.fixture
def generator(cluster: Cluster, database: str) -> LoadGenerator:
    return LoadGenerator(lambda: cluster.connect(database, autocommit=True))


def test_each_worker_works_as_often_as_was_asked(
    generator: LoadGenerator, conn: Connection
) -> None:
    report = generator.run(
        lambda own, number: Target(own).commit("main", f"commit {number}"), workers=3, count=4
    )
    assert report.outcomes == {"00000": 12}
    assert (report.workers, report.attempts, report.succeeded) == (3, 12, 12)
    assert report.throughput == pytest.approx(12 / report.elapsed.total_seconds())
    assert timedelta(0) < report.slowest <= report.elapsed
    messages = conn.execute("SELECT message FROM pggit.commits").fetchall()
    assert {row[0] for row in messages} == {f"commit {number}" for number in range(12)}


def test_each_worker_has_a_session_of_its_own(generator: LoadGenerator) -> None:
    seen = set()
    together = threading.Barrier(4)

    def meet(own: Connection, number: int) -> None:
        together.wait(10)
        seen.add(own.info.backend_pid)

    generator.run(meet, workers=4, count=1)
    assert len(seen) == 4


def test_a_load_lasts_as_long_as_was_asked(generator: LoadGenerator) -> None:
    duration = timedelta(milliseconds=50)
    report = generator.run(lambda own, number: own.execute("SELECT"), workers=2, duration=duration)
    assert report.elapsed >= duration
    assert report.succeeded > 2


def test_errors_are_told_by_sqlstate(generator: LoadGenerator) -> None:
    def sometimes(own: Connection, number: int) -> None:
        own.execute("SELECT 1 / %s::integer", (number % 2,))

    report = generator.run(sometimes, workers=2, count=4)
    assert report.outcomes == {"00000": 4, "22012": 4}
    assert [error.sqlstate for error in report.errors] == ["22012"]


def test_a_lost_session_is_replaced(cluster: Cluster, database: str) -> None:
    def end(own: Connection, number: int) -> None:
        if number == 0:
            own.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        own.execute("SELECT")

    generator = LoadGenerator(lambda: cluster.connect(database))
    report = generator.run(end, workers=1, count=3)
    assert report.outcomes == {"57P01": 1, "00000": 2}


def test_an_error_of_the_work_itself_ends_the_load(generator: LoadGenerator) -> None:
    def wrong(own: Connection, number: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        generator.run(wrong, workers=2, count=2)


@pytest.mark.one_version
@pytest.mark.parametrize("bounds", [{}, {"count": 1, "duration": timedelta(seconds=1)}])
def test_a_load_without_an_end_is_refused(generator: LoadGenerator, bounds: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        generator.run(lambda own, number: None, **bounds)


def test_no_session_is_left(generator: LoadGenerator, conn: Connection) -> None:
    generator.run(lambda own, number: own.execute("SELECT"), workers=3, count=1)
    left = """
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND backend_type = 'client backend' AND state <> 'idle'
    """
    assert conn.execute(left).fetchone() == (0,)
