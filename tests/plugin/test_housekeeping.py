"""Copies ahead of their test, drops behind it, and a server that loses sessions in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.plugin.housekeeping import Housekeeper

NAMES = ("kept_1", "kept_2")
_DATABASES = "SELECT datname FROM pg_database WHERE datname LIKE 'kept%' ORDER BY 1"
_END_IT = """
SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
 WHERE query LIKE 'CREATE DATABASE kept%'
"""


@pytest.fixture
def housekeeper(cluster: Cluster) -> Iterator[Housekeeper]:
    housekeeper = Housekeeper(cluster)
    yield housekeeper
    housekeeper.close()
    for name in NAMES:
        cluster.drop_database(name)


def _create(conn: psycopg.Connection[Any], name: str) -> None:
    conn.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy".encode())


def _drop(conn: psycopg.Connection[Any], name: str) -> None:
    conn.execute(f"DROP DATABASE {name}".encode())


def _databases(cluster: Cluster) -> list[str]:
    with cluster.connect() as conn:
        return [row[0] for row in conn.execute(_DATABASES)]


def test_a_copy_is_taken_once(cluster: Cluster, housekeeper: Housekeeper) -> None:
    housekeeper.copy("template0", "kept_1", _create)
    assert housekeeper.take("template0") == "kept_1"
    assert housekeeper.take("template0") is None
    assert _databases(cluster) == ["kept_1"]


def test_of_what_was_not_prepared_there_is_no_copy(housekeeper: Housekeeper) -> None:
    housekeeper.copy("template0", "kept_1", _create)
    assert housekeeper.take("template1") is None


def test_a_copy_that_could_not_be_made_is_none(housekeeper: Housekeeper, cluster: Cluster) -> None:
    cluster.create_database("kept_1")
    housekeeper.copy("template0", "kept_1", _create)
    assert housekeeper.take("template0") is None


def test_after_its_session_was_ended_it_goes_on_and_drops_what_it_owes(
    cluster: Cluster, housekeeper: Housekeeper
) -> None:
    for name in NAMES:
        housekeeper.copy("template0", name, _create)
        assert housekeeper.take("template0") == name
    with cluster.connect(autocommit=True) as conn:
        assert conn.execute(_END_IT).fetchone() == (1,)
    housekeeper.drop("kept_1", _drop)  # meets the lost session
    housekeeper.drop("kept_2", _drop)
    housekeeper.copy("template0", "kept_2", _create)  # in turn, so that both are over
    assert housekeeper.take("template0") == "kept_2"
    assert _databases(cluster) == ["kept_2"]
