"""A crash is real, happens only where it may, and leaves pgGit to PostgreSQL's recovery."""

from __future__ import annotations

import psycopg
import pytest

from pggit_chaos import extension, reference
from pggit_chaos.cluster import Cluster
from servers.fleet import SETTINGS

pytestmark = pytest.mark.ends_will_do

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"


@pytest.fixture
def disposable(fleet, server_version):
    with Cluster(
        programs=fleet.programs(server_version),
        settings={**SETTINGS, "pggit_chaos.disposable": "on"},
    ) as cluster:
        cluster.create_database("drills")
        with cluster.connect("drills", autocommit=True) as conn:
            reference.load(conn)
            extension.install(conn)
            conn.execute("ALTER DATABASE drills SET pggit_chaos.enabled = on")
            conn.execute("SELECT pggit_chaos.install_hooks()")
        yield cluster


@pytest.mark.parametrize("phase", ["before", "after", "commit"])
@pytest.mark.parametrize("scope", ["session", "database"])
def test_the_server_dies_recovers_and_has_no_trace_of_the_commit(disposable, phase, scope):
    with disposable.crashing(), disposable.connect("drills", autocommit=True) as conn:
        conn.execute("SELECT pggit.commit_changes('main', 'a first one')")
        conn.execute(
            "SELECT pggit_chaos.arm(%s, 'crash', %s)", [f"pggit.commits.insert.{phase}", scope]
        )
        with pytest.raises(psycopg.OperationalError):
            conn.execute(COMMIT)
    with disposable.connect("drills", autocommit=True) as conn:
        assert conn.execute("SELECT message FROM pggit.commits").fetchall() == [("a first one",)]
        # The dead man's switch: the fault does not strike again.
        conn.execute(COMMIT)
        assert conn.execute("SELECT state FROM pggit_chaos.fault").fetchall() == [("expired",)]
        assert conn.execute("SELECT count(*) FROM pggit_chaos.hooks_intact()").fetchone() == (0,)
        conn.execute("SELECT pggit_chaos.disarm_all()")


def test_a_crash_is_refused_on_a_server_that_is_not_declared_disposable(conn):
    conn.execute("SELECT pggit_chaos.install_hooks()")
    with pytest.raises(psycopg.DatabaseError) as refusal:
        conn.execute("SELECT pggit_chaos.arm('*', 'crash')")
    assert refusal.value.sqlstate == "PC009"


@pytest.mark.parametrize(
    "setting",
    [
        "SET pggit_chaos.disposable = on",
        "ALTER ROLE CURRENT_USER SET pggit_chaos.disposable = on",
    ],
)
def test_no_lesser_setting_declares_a_server_disposable(conn, setting):
    conn.execute("SELECT pggit_chaos.install_hooks()")
    conn.execute(setting)
    try:
        with pytest.raises(psycopg.DatabaseError) as refusal:
            conn.execute("SELECT pggit_chaos.arm('*', 'crash')")
        assert refusal.value.sqlstate == "PC009"
    finally:
        conn.execute("ALTER ROLE CURRENT_USER RESET pggit_chaos.disposable")


def test_the_hint_is_what_declares_it(fleet, server_version):
    with Cluster(programs=fleet.programs(server_version), settings=SETTINGS) as cluster:
        with cluster.connect(autocommit=True) as conn:
            reference.load(conn)
            extension.install(conn)
            conn.execute("ALTER DATABASE postgres SET pggit_chaos.enabled = on")
            conn.execute("SELECT pggit_chaos.install_hooks()")
            with pytest.raises(psycopg.DatabaseError) as refusal:
                conn.execute("SELECT pggit_chaos.arm('*', 'crash')")
            for statement in refusal.value.diag.message_hint.split("; "):
                conn.execute(statement)
            conn.execute("SELECT pggit_chaos.arm('*', 'crash')")
