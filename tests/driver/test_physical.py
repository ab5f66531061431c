"""Damage to files is found by the server's own means, and put back byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pggit_chaos import extension, physical, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import UsageError
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


def test_all_kinds_are_drilled_in_turn_and_the_database_is_left_as_it_was(server):
    with server.connect(DATABASE) as conn:
        before = conn.execute("SELECT pggit_chaos.state_digest()").fetchone()
        extensions = conn.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall()
    rows = list(physical.drill_all(server, DATABASE, seed=7))
    assert [row.kind for row in rows] == list(physical.KINDS)
    assert [row.failure for row in rows] == [None] * len(rows)
    assert all(row.detected for row in rows)
    with server.connect(DATABASE) as conn:
        assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == before
        assert conn.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall() == extensions


@pytest.mark.slow
@pytest.mark.one_version
def test_each_detector_is_needed_by_some_kind(server):
    rows = [row for seed in range(4) for row in physical.drill_all(server, DATABASE, seed=seed)]
    found = {detector for row in rows for detector in row.detected_by}
    assert {physical.CHECKSUM, physical.INDEX_CHECK, physical.INDEX_SCAN} <= found


@pytest.mark.one_version
def test_the_files_are_put_back_byte_for_byte_where_the_drill_fails(server, monkeypatch):
    def files():
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.iterdir()
            if path.name.split(".")[0].split("_")[0] in ours
        }

    with server.connect(DATABASE) as conn:
        paths = conn.execute("""
            SELECT pg_relation_filepath(c.oid) FROM pg_class AS c
             WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind IN ('r', 'i')
        """).fetchall()
    ours = {path.rpartition("/")[2] for (path,) in paths}
    directory = server.data / paths[0][0].rpartition("/")[0]
    seen = []

    def damage_and_fail(victim, chance):
        seen.append(files())
        truncate(victim, chance)
        assert files() != seen[0]
        raise KeyboardInterrupt

    kind = physical.KINDS["table_truncated"]
    truncate = kind.damage
    monkeypatch.setitem(physical.KINDS, kind.kind, replace(kind, damage=damage_and_fail))
    with pytest.raises(KeyboardInterrupt):
        physical.drill(server, DATABASE, kind.kind)
    server.stop()
    assert files() == seen[0]
    server.start()


@pytest.mark.one_version
def test_damage_that_nobody_notices_is_not_called_detected(server, monkeypatch):
    kind = physical.KINDS["page_bit_flipped"]
    monkeypatch.setitem(physical.KINDS, kind.kind, replace(kind, damage=lambda *_: None))
    row = physical.drill(server, DATABASE, kind.kind)
    assert (row.detected, row.failure, row.healed) == (False, "not detected", True)


@pytest.mark.one_version
def test_without_checksums_a_flipped_bit_gets_no_verdict(unguarded):
    row = physical.drill(unguarded, DATABASE, "page_bit_flipped")
    assert (row.detected, row.failure) == (None, None)
    row = physical.drill(unguarded, DATABASE, "index_entry_lost")
    assert (row.detected, row.detected_by) == (True, [physical.INDEX_CHECK])


@pytest.fixture
def unguarded(fleet: Fleet, server_version: str) -> Iterator[Cluster]:
    # Version 18 has to be told, and older ones do not know the option.
    options = ("--no-data-checksums",) if int(server_version) >= 18 else ()
    programs = fleet.programs(server_version)
    with Cluster(programs=programs, initdb_options=options) as cluster:
        furnish(cluster)
        yield cluster


def test_an_unknown_kind_is_told_which_there_are(server):
    with pytest.raises(UsageError) as error:
        physical.drill(server, DATABASE, "no such")
    assert "index_entry_lost" in str(error.value.hint)
