"""A reference target that every sabotage is tried on, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pggit_chaos import reference

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster
    from servers.fleet import Fleet


@pytest.fixture(scope="module")
def shared_target(
    fleet: Fleet, cluster: Cluster, server_version: str
) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to a reference target, which stays as it was loaded."""
    name = fleet.bare(server_version)
    with cluster.connect(name, autocommit=True) as conn:
        reference.load(conn)
        yield conn
    fleet.drop(server_version, [name])


@pytest.fixture
def target(shared_target: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The same, in a transaction that is undone."""
    with shared_target.transaction(force_rollback=True):
        yield shared_target
