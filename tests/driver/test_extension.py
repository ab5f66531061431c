"""The extension into a database and out of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pggit_chaos import extension
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import PrivilegeError, UsageError

_OURS = """
SELECT count(*)
  FROM (SELECT nspname FROM pg_namespace
        UNION ALL SELECT evtname FROM pg_event_trigger
        UNION ALL SELECT extname FROM pg_extension
        UNION ALL SELECT unnest(setconfig) FROM pg_db_role_setting AS s
                   WHERE s.setdatabase = (SELECT oid FROM pg_database
                                           WHERE datname = current_database())) AS o(name)
 WHERE name LIKE '%pggit_chaos%'
"""


@pytest.fixture
def bare(cluster: Cluster, bare_database: str) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to a database with nothing in it."""
    with cluster.connect(bare_database, autocommit=True) as conn:
        yield conn


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not have the files and whose directory cannot be written to."""
    monkeypatch.setattr(extension, "_is_available", lambda conn: False)


def _enabled(conn: psycopg.Connection[Any]) -> bool:
    return conn.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (True,)


def test_it_is_installed_as_an_extension_where_the_files_are(
    bare: psycopg.Connection[Any],
) -> None:
    done = extension.install(bare)
    assert (done.how, done.version) == ("extension", extension.version())
    assert extension.installation(bare) == done


def test_it_is_not_enabled_by_being_installed(bare: psycopg.Connection[Any]) -> None:
    extension.install(bare)
    assert not _enabled(bare)
    extension.enable(bare)
    assert _enabled(bare)
    extension.enable(bare, on=False)
    assert not _enabled(bare)


@pytest.mark.usefixtures("no_files")
def test_its_script_is_sent_where_the_files_cannot_be(bare: psycopg.Connection[Any]) -> None:
    done = extension.install(bare)
    assert (done.how, done.version) == ("script", None)
    extension.enable(bare)
    assert _enabled(bare)


@pytest.mark.usefixtures("no_files")
def test_script_and_extension_make_the_same_functions(
    cluster: Cluster, database: str, bare: psycopg.Connection[Any]
) -> None:
    query = """
        SELECT p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid))
          FROM pg_proc AS p
         WHERE p.pronamespace = 'pggit_chaos'::regnamespace
         ORDER BY 1
    """
    extension.install(bare)
    with cluster.connect(database) as conn:
        assert bare.execute(query).fetchall() == conn.execute(query).fetchall()


def test_files_are_put_where_a_local_server_can_find_them(
    tmp_path: Path, fleet: Any, server_version: str
) -> None:
    with Cluster(programs=fleet.programs(server_version)) as cluster:
        directory = cluster.programs.sharedir / "extension"
        for name in extension.files():
            (directory / name).unlink()
        with cluster.connect(autocommit=True) as conn:
            assert extension.install(conn).how == "extension"
        assert {path.name for path in directory.glob("pggit_chaos*")} == set(extension.files())


@pytest.mark.parametrize("drop", ["DROP EXTENSION", "DROP SCHEMA"])
@pytest.mark.parametrize("available", [True, False])
def test_it_can_be_installed_again(
    bare: psycopg.Connection[Any],
    drop: str,
    available: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extension.install(bare)
    bare.execute(f"{drop} pggit_chaos CASCADE")
    assert extension.installation(bare) is None
    if not available:
        monkeypatch.setattr(extension, "_is_available", lambda conn: False)
    assert extension.install(bare).how == ("extension" if available else "script")


@pytest.mark.parametrize("how", ["extension", "script"])
def test_uninstalling_leaves_nothing(
    bare: psycopg.Connection[Any], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "script":
        monkeypatch.setattr(extension, "_is_available", lambda conn: False)
    assert extension.install(bare).how == how
    extension.enable(bare)
    assert bare.execute(_OURS).fetchone() != (0,)
    extension.uninstall(bare)
    assert bare.execute(_OURS).fetchone() == (0,)


def test_uninstalling_takes_the_hooks_out(conn: psycopg.Connection[Any]) -> None:
    bodies = "SELECT p.oid, p.prosrc FROM pg_proc AS p WHERE pronamespace = 'pggit'::regnamespace"
    before = set(conn.execute(bodies).fetchall())
    conn.execute("SELECT FROM pggit_chaos.install_hooks()")
    assert set(conn.execute(bodies).fetchall()) != before
    extension.uninstall(conn)
    assert set(conn.execute(bodies).fetchall()) == before
    assert conn.execute(_OURS).fetchone() == (0,)


def test_installing_twice_is_a_usage_error(bare: psycopg.Connection[Any]) -> None:
    extension.install(bare)
    with pytest.raises(UsageError, match="already has pggit_chaos") as caught:
        extension.install(bare)
    assert caught.value.hint is not None
    assert "uninstall" in caught.value.hint


def test_uninstalling_what_is_not_there_is_a_usage_error(bare: psycopg.Connection[Any]) -> None:
    with pytest.raises(UsageError, match="has no pggit_chaos"):
        extension.uninstall(bare)


def test_an_ordinary_user_may_not_install(cluster: Cluster, bare_database: str) -> None:
    with cluster.connect(bare_database, autocommit=True) as conn:
        conn.execute("SET SESSION AUTHORIZATION pg_monitor")
        with pytest.raises(PrivilegeError):
            extension.install(conn)
        conn.execute("RESET SESSION AUTHORIZATION")
        assert extension.installation(conn) is None


def test_a_database_with_any_name_can_be_enabled(cluster: Cluster) -> None:
    name = cluster.create_database("""a "b" 'c' %s""")
    with cluster.connect(name, autocommit=True) as conn:
        extension.install(conn)
        extension.enable(conn)
        assert _enabled(conn)
        extension.uninstall(conn)
    cluster.drop_database(name)
