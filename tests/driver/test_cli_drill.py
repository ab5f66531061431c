"""Drills on the command line: on a copy unless told, and never lost by Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from command_line import CLEAN, COULD_NOT_RUN, FINDINGS, INTERRUPTED, rows, run, words
from pggit_chaos import binaries, clones, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target

pytestmark = pytest.mark.one_version

_CLONES = "SELECT datname FROM pg_database WHERE starts_with(datname, 'pggit_chaos_clone_')"


@pytest.fixture
def foreign(cluster: Cluster, bare_database: str) -> str:
    """The DSN of a database with pgGit, some work, and nothing of ours."""
    with cluster.connect(bare_database, autocommit=True) as conn:
        reference.load(conn)
        Target(conn).furnish(steps=30)
    return cluster.dsn(bare_database)


@pytest.fixture
def dsn(cluster: Cluster, database: str) -> str:
    """The DSN of a database with pgGit, some work, and the extension, enabled."""
    with cluster.connect(database, autocommit=True) as conn:
        Target(conn).furnish(steps=30)
    return cluster.dsn(database)


@pytest.fixture(scope="module")
def dumpable() -> Iterator[Cluster]:
    """A server whose version pg_dump is here for."""
    programs = next(each for each in binaries.available() if each.program("pg_dump"))
    with Cluster(programs=programs) as cluster:
        cluster.create_database("work")
        with cluster.connect("work", autocommit=True) as conn:
            conn.execute("CREATE ROLE chaos_owner")
            reference.load(conn)
            Target(conn).furnish(steps=30)
            conn.execute("ALTER TABLE pggit.commits OWNER TO chaos_owner")
        yield cluster


def _look(dsn: str) -> tuple[str, list[Any]]:
    """Return what tells of any write to a database, and the databases of its server."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        return _digest(conn), conn.execute("SELECT datname FROM pg_database").fetchall()


def _digest(conn: psycopg.Connection[Any]) -> str:
    """Return a hash of every row, row version included, of the catalogue and of pgGit."""
    row = conn.execute("""
        SELECT md5(string_agg(query_to_xml(format(
                   'SELECT sum(hashtextextended(t.ctid::text || t.xmin || t::text, 0))'
                   '  FROM %s AS t', c.oid::regclass), true, true, '')::text, '' ORDER BY c.oid))
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND (n.nspname ~ '^pggit' OR c.relname IN ('pg_class', 'pg_proc',
               'pg_trigger', 'pg_event_trigger', 'pg_namespace', 'pg_db_role_setting'))
    """).fetchone()
    assert row is not None
    return str(row[0])


# -- on a copy -----------------------------------------------------------


def test_a_drill_is_for_a_copy_and_the_named_database_is_not_written_to(
    foreign: str,
) -> None:
    before = _look(foreign)
    done = run("drill", "--dsn", foreign, "--category", "commit", "--format", "json")
    assert _look(foreign) == before
    assert done.returncode == CLEAN
    drilled = rows(done)
    assert {row["healed"] for row in drilled if row["detected"] is not None} == {True}
    assert "a copy of" in json.loads(done.stdout)["target"]


def test_what_the_copy_costs_is_said_before(foreign: str) -> None:
    said = run("drill", "--dsn", foreign, "commit_deleted").stderr
    assert "MB of disk) on its server" in said
    assert "dropped afterwards" in said


def test_a_database_that_others_use_is_dumped(dumpable: Cluster) -> None:
    dsn = dumpable.dsn("work")
    with psycopg.connect(dsn, autocommit=True) as user:
        before = _digest(user)
        done = run("drill", "--dsn", dsn, "--kind", "commit_deleted", "--format", "json")
        assert _digest(user) == before
    assert done.returncode == CLEAN, done.stderr
    assert [row["detected"] for row in rows(done)] == [True]
    assert "into a throwaway server" in done.stderr
    assert "1 other sessions" in done.stderr


def test_a_role_that_may_only_read_drills_a_dump(dumpable: Cluster) -> None:
    with dumpable.connect("work", autocommit=True) as conn:
        conn.execute("CREATE ROLE chaos_reader LOGIN PASSWORD 'secret'")
        conn.execute("GRANT pg_read_all_data TO chaos_reader")
    dsn = dumpable.dsn("work", user="chaos_reader", password="secret")
    done = run("drill", "--dsn", dsn, "--kind", "commit_deleted", "--format", "json")
    assert done.returncode == CLEAN, done.stderr
    assert "the role may not" in done.stderr
    assert "secret" not in done.stderr


def test_a_dump_that_cannot_be_made_says_why_and_what_else_there_is(dumpable: Cluster) -> None:
    with dumpable.connect("work", autocommit=True) as conn:
        conn.execute("CREATE ROLE chaos_stranger LOGIN")
    done = run("drill", "--dsn", dumpable.dsn("work", user="chaos_stranger"))
    assert done.returncode == COULD_NOT_RUN
    assert "pg_dump: " in done.stderr
    assert "--in-place" in done.stderr


def test_the_dump_keeps_owners(dumpable: Cluster) -> None:
    with psycopg.connect(dumpable.dsn("work"), autocommit=True) as conn:
        original = clones.look_at(conn, dumpable.dsn("work"))
    with (
        clones.restored(original, print, why="it is a test") as copy,
        copy.connect(clones.COPY) as conn,
    ):
        owner = conn.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'commits'")
        assert owner.fetchone() == ("chaos_owner",)


# -- in place ------------------------------------------------------------


def test_in_place_needs_the_opt_in_and_leaves_the_database_as_it_was(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        before = conn.execute("SELECT pggit_chaos.state_digest()").fetchone()
        asked = ("--in-place", "--category", "branch", "--format", "json")
        done = run("drill", "--dsn", dsn, *asked)
        assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == before
    assert done.returncode == CLEAN
    assert {(row["detected"], row["healed"]) for row in rows(done)} <= {(True, True), (None, None)}


def test_in_place_without_the_extension_says_how_to_install_it(foreign: str) -> None:
    done = run("drill", "--in-place", "--dsn", foreign)
    assert done.returncode == COULD_NOT_RUN
    assert "pggit-chaos install" in done.stderr


# -- which ---------------------------------------------------------------


def test_kinds_can_be_named_by_option_and_by_argument(dsn: str) -> None:
    done = run(
        "drill", "--dsn", dsn, "commit_deleted", "--kind", "object_deleted", "--format", "json"
    )
    assert [row["kind"] for row in rows(done)] == ["commit_deleted", "object_deleted"]


def test_each_two_kinds_are_drilled_at_once(dsn: str) -> None:
    named = ("commit_message_lost", "object_state_lost", "trinity_sequence_rewound")
    done = run("drill", "--dsn", dsn, "--pairs", *named, "--format", "json")
    assert done.returncode == CLEAN, done.stdout
    assert [(row["kind"], row["other"]) for row in rows(done)] == [
        (named[0], named[1]),
        (named[0], named[2]),
        (named[1], named[2]),
    ]
    assert all(row["detected"] and row["healed"] for row in rows(done))


def test_a_drill_that_is_not_detected_is_a_finding(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("""
            UPDATE pggit_chaos._integrity_check
               SET query = 'SELECT NULL::text, NULL::text WHERE false'
             WHERE check_id = 'commit_parent_missing'
        """)
    done = run("drill", "--dsn", dsn, "commit_parent_dangling", "--format", "json")
    assert done.returncode == FINDINGS
    assert rows(done)[0]["detected"] is False


def test_files_are_damaged_on_a_throwaway_server_only(dumpable: Cluster) -> None:
    dsn = dumpable.dsn("work")
    done = run(
        "drill", "--physical", "--kind", "page_bit_flipped", "--dsn", dsn, "--format", "json"
    )
    assert done.returncode == CLEAN, done.stderr
    (row,) = rows(done)
    assert (row["detected_by"], row["healed"]) == (["checksum"], True)
    assert "throwaway server" in done.stderr
    assert dumpable.running


# -- interruption --------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lists_what_was_done_and_drops_the_copy(
    cluster: Cluster, dsn: str, sent: signal.Signals
) -> None:
    with (
        psycopg.connect(cluster.dsn("postgres"), autocommit=True) as watcher,
        subprocess.Popen(
            words("drill", "--dsn", dsn, "--format", "json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        _wait_for_drills(watcher, process)
        process.send_signal(sent)
        written, said = process.communicate()
        assert watcher.execute(_CLONES).fetchall() == []
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in said
    drilled = json.loads(written)["drills"]
    assert drilled
    assert all(row["failure"] is None for row in drilled)


def _wait_for_drills(watcher: psycopg.Connection[Any], process: subprocess.Popen[str]) -> None:
    """Wait until some drills have ended: each is a transaction that is undone and one call."""
    seen: set[Any] = set()
    while len(seen) < 5:
        assert process.poll() is None, "it ended before it was interrupted"
        seen.update(
            watcher.execute("""
            SELECT query_start FROM pg_stat_activity
             WHERE starts_with(datname, 'pggit_chaos_clone_') AND query ~ 'pggit_chaos.drill'
        """).fetchall()
        )
