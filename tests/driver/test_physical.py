"""Damage to files is found by the server's own means, and put back byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pggit_chaos import extension, physical, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target
from servers.fleet import Fleet

DATABASE = "damaged"


def furnish(cluster: Cluster) -> None:
    cluster.create_database(DATABASE)
    with cluster.connect(DATABASE, autocommit=True) as conn:
        reference.load(conn)
        extension.install(conn)
        Target(conn).furnish(steps=20)


@pytest.fixture(scope="module")
def server(fleet: Fleet, server_version: str) -> Iterator[Cluster]:
    """A server with checksums and a pgGit that was used."""
    programs = fleet.programs(server_version)
    with Cluster(programs=programs, initdb_options=physical.INITDB_OPTIONS) as cluster:
        furnish(cluster)
        yield cluster


@pytest.mark.parametrize("kind", sorted(physical.KINDS))
@pytest.mark.parametrize("seed", range(3))
def test_damage_is_detected_by_its_own_detectors_alone_and_undone(server, kind, seed):
    row = physical.drill(server, DATABASE, kind, seed=seed)
    assert (row.kind, row.detected, row.unrelated, row.healed) == (kind, True, [], True)
    assert row.detected_by
    assert row.failure is None
