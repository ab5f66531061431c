"""fsck on the command line: read-only, on a standby, against a baseline."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from command_line import CLEAN, COULD_NOT_RUN, FINDINGS, USAGE, rows, run
from pggit_chaos import inspection, reference
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError, PrivilegeError, UsageError
from pggit_chaos.target import Target
from servers.fleet import Fleet

pytestmark = pytest.mark.one_version

KINDS = (
    "branch_head_dangling",
    "commit_parent_dangling",
    "commit_sequence_rewound",
    "history_orphaned",
    "index_invalidated",
    "object_version_regressed",
)
REPLICATED = {"wal_level": "replica", "max_wal_senders": "3"}


@pytest.fixture
def worked(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database with some work in it."""
    Target(conn).furnish(steps=30)
    return conn


@pytest.fixture
def corrupted(worked: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database with several corruptions in it."""
    for kind in KINDS:
        worked.execute("SELECT pggit_chaos.corrupt(%s)", (kind,))
    return worked


@pytest.fixture
def foreign(cluster: Cluster, bare_database: str) -> str:
    """The DSN of a database with pgGit, some work and one damage, and nothing of ours."""
    with cluster.connect(bare_database, autocommit=True) as conn:
        reference.load(conn)
        Target(conn).furnish(steps=30)
        conn.execute("""
            SET session_replication_role = replica;
            UPDATE pggit.commits SET parent_commit_hash = 'nowhere'
             WHERE id = (SELECT max(id) FROM pggit.commits)
        """)
    return cluster.dsn(bare_database)


# -- read only -----------------------------------------------------------


def test_both_ways_find_the_same(corrupted: psycopg.Connection[Any]) -> None:
    by_function = inspection.run(corrupted)
    read_only = inspection.run_read_only(corrupted)
    assert len({finding.check_id for finding in by_function.findings}) >= len(KINDS)
    assert read_only == by_function


def test_both_ways_leave_out_what_was_accepted(corrupted: psycopg.Connection[Any]) -> None:
    (first, *others) = inspection.run(corrupted).findings
    accept = "SELECT pggit_chaos.accept_finding(%s, %s, 'known')"
    corrupted.execute(accept, (first.check_id, first.row_identity))
    read_only = inspection.run_read_only(corrupted).findings
    assert read_only == inspection.run(corrupted).findings == others


@pytest.mark.parametrize("severity", inspection.SEVERITIES)
def test_both_ways_run_the_same_checks(worked: psycopg.Connection[Any], severity: str) -> None:
    worked.execute("DROP TABLE pggit.branched_tables CASCADE")
    by_function = inspection.run(worked, min_severity=severity)
    assert "branched_table_missing" in by_function.inapplicable
    assert inspection.run_read_only(worked, min_severity=severity).ran == by_function.ran


def test_the_settings_are_those_of_the_function(conn: psycopg.Connection[Any]) -> None:
    found = conn.execute("""
        SELECT p.proconfig FROM pg_proc AS p
         WHERE p.pronamespace = 'pggit_chaos'::regnamespace AND p.prosrc ~ '_integrity_check AS c'
           AND EXISTS (SELECT FROM unnest(p.proconfig) AS s WHERE s ~ '^row_security=')
    """).fetchall()
    (config,) = (row[0] for row in found)
    theirs = {setting.split("=")[0]: setting.split("=")[1] for setting in config}
    ours = dict(setting.split(" = ") for setting in inspection.SETTINGS)
    assert {name: value.strip("'").replace('"', "") for name, value in ours.items()} == {
        name.lower(): value.replace('"', "") for name, value in theirs.items()
    }


def test_no_check_calls_a_function_of_ours(conn: psycopg.Connection[Any]) -> None:
    found = conn.execute("""
        SELECT c.check_id FROM pggit_chaos._integrity_check AS c
         WHERE EXISTS (SELECT
                         FROM regexp_matches(c.query, 'pggit_chaos"?\\.\\w+', 'g') AS m(name)
                        WHERE m.name[1] <> ALL (c.requires))
    """).fetchall()
    assert found == [], "these would be run where the extension is not installed"


def test_a_database_without_the_extension_is_checked_and_nothing_is_written(foreign: str) -> None:
    with psycopg.connect(foreign, autocommit=True) as witness:
        before = _written(witness)
        done = run("fsck", "--read-only", "--dsn", foreign, "--format", "json")
        assert _written(witness) == before
    assert done.returncode == FINDINGS
    assert {row["check_id"] for row in rows(done)} == {"commit_parent_missing"}
    assert "commit_rewritten" in done.stderr, "what compares with nothing does not apply"


def _written(conn: psycopg.Connection[Any]) -> list[Any]:
    """What tells of any transaction that got an id, and of any new object."""
    return conn.execute("""
        SELECT pg_snapshot_xmax(pg_current_snapshot()), (SELECT count(*) FROM pg_class),
               (SELECT count(*) FROM pg_namespace)
    """).fetchall()


@contextmanager
def _standby(primary: Cluster) -> Iterator[Cluster]:
    """A server that replays what ``primary`` writes, and can be read meanwhile."""
    with Cluster(programs=primary.programs, settings=REPLICATED) as standby:
        standby.stop()
        primary.stop()
        owner = standby.data.stat()
        shutil.rmtree(standby.data)
        shutil.copytree(primary.data, standby.data)
        (standby.data / "standby.signal").touch()
        for path in (standby.data, *standby.data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        primary.start()
        standby.start(primary_conninfo=primary.dsn(), hot_standby_feedback="on")
        yield standby


def test_a_standby_is_checked(fleet: Fleet, server_version: str) -> None:
    programs = fleet.programs(server_version)
    with Cluster(programs=programs, settings=REPLICATED) as primary:
        with primary.connect(autocommit=True) as conn:
            reference.load(conn)
            Target(conn).furnish(steps=20)
        with _standby(primary) as standby:
            clean = run("fsck", "--read-only", "--dsn", standby.dsn())
            with primary.connect(autocommit=True) as conn, standby.connect(autocommit=True) as copy:
                conn.execute("UPDATE pggit.branches SET head_commit_hash = 'nowhere' WHERE id = 1")
                _wait_for_replay(conn, copy)
                assert copy.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            damaged = run("fsck", "--read-only", "--dsn", standby.dsn(), "--format", "json")
    assert clean.returncode == CLEAN, clean.stdout
    assert damaged.returncode == FINDINGS
    assert {row["check_id"] for row in rows(damaged)} == {"branch_head_missing"}
    assert "(standby)" in json.loads(damaged.stdout)["target"]


def _wait_for_replay(primary: psycopg.Connection[Any], standby: psycopg.Connection[Any]) -> None:
    written = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
    replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    while standby.execute(replayed, written).fetchone() != (True,):
        pass


def test_what_a_role_may_not_read_is_an_error_with_the_way_out(
    cluster: Cluster, foreign: str
) -> None:
    with psycopg.connect(foreign, autocommit=True) as conn:
        conn.execute("CREATE ROLE chaos_reader LOGIN")
    try:
        dsn = psycopg.conninfo.make_conninfo(foreign, user="chaos_reader")
        done = run("fsck", "--read-only", "--dsn", dsn)
        assert done.returncode == COULD_NOT_RUN
        assert 'GRANT pg_read_all_data TO "chaos_reader"' in done.stderr
        with psycopg.connect(foreign, autocommit=True) as conn:
            conn.execute("GRANT pg_read_all_data TO chaos_reader")
        assert run("fsck", "--read-only", "--dsn", dsn).returncode == FINDINGS
    finally:
        with psycopg.connect(foreign, autocommit=True) as conn:
            conn.execute("DROP ROLE chaos_reader")


def test_rows_that_a_policy_hides_are_an_error(foreign: str) -> None:
    with psycopg.connect(foreign, autocommit=True) as owner:
        owner.execute("ALTER TABLE pggit.commits ENABLE ROW LEVEL SECURITY")
        owner.execute("CREATE ROLE chaos_reader LOGIN")
        owner.execute("GRANT pg_read_all_data TO chaos_reader")
        try:
            dsn = psycopg.conninfo.make_conninfo(foreign, user="chaos_reader")
            with (
                psycopg.connect(dsn, autocommit=True) as reader,
                pytest.raises(PrivilegeError) as caught,
            ):
                inspection.run_read_only(reader)
            assert "BYPASSRLS" in (caught.value.hint or "")
        finally:
            owner.execute("DROP ROLE chaos_reader")


def test_a_database_without_pggit_is_not_clean(cluster: Cluster, bare_database: str) -> None:
    done = run("fsck", "--read-only", "--dsn", cluster.dsn(bare_database))
    assert done.returncode == COULD_NOT_RUN
    assert "has no pgGit" in done.stderr


def test_an_unknown_name_says_what_is_near(conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(UsageError) as caught:
        inspection.run_read_only(conn, ["commit_parent_mising"])
    assert "commit_parent_missing" in (caught.value.detail or "")


def test_a_named_check_that_does_not_apply_is_an_error(conn: psycopg.Connection[Any]) -> None:
    conn.execute("DROP TABLE pggit.branched_tables CASCADE")
    with pytest.raises(NotApplicableError):
        inspection.run_read_only(conn, ["branched_table_missing"])


def test_what_does_not_apply_is_said(worked: psycopg.Connection[Any]) -> None:
    worked.execute("DROP TABLE pggit.branched_tables CASCADE")
    for words in ([], ["--read-only"]):
        said = run("fsck", "--dsn", _dsn(worked), *words).stderr
        assert "not apply to this pgGit: " in said
        assert "branched_table_missing" in said


# -- which checks --------------------------------------------------------


def test_checks_can_be_named_by_option_and_by_argument(corrupted: psycopg.Connection[Any]) -> None:
    words = ("--check", "commit_parent_missing", "--check", "branch_head_missing")
    done = run("fsck", "--dsn", _dsn(corrupted), "sequence_behind", *words, "--format", "json")
    assert {row["check_id"] for row in rows(done)} == {
        "sequence_behind",
        "commit_parent_missing",
        "branch_head_missing",
    }


# -- baselines -----------------------------------------------------------


def test_a_baseline_fails_on_what_is_new_only(
    worked: psycopg.Connection[Any], tmp_path: Path
) -> None:
    dsn, file = _dsn(worked), tmp_path / "known.json"
    corruption = _corrupt(worked, "commit_parent_dangling")
    written = run("fsck", "--dsn", dsn, "--write-baseline", file)
    assert written.returncode == CLEAN
    assert run("fsck", "--dsn", dsn, "--baseline", file).returncode == CLEAN
    _corrupt(worked, "commit_sequence_rewound")
    done = run("fsck", "--dsn", dsn, "--baseline", file, "--format", "json")
    assert done.returncode == FINDINGS
    document = json.loads(done.stdout)
    assert {row["check_id"] for row in document["findings"]} == {"sequence_behind"}
    assert document["gone"] == []
    worked.execute("SELECT pggit_chaos.heal(%s)", (corruption,))
    done = run("fsck", "--dsn", dsn, "--baseline", file, "--format", "json")
    gone = {row["check_id"] for row in json.loads(done.stdout)["gone"]}
    assert "commit_parent_missing" in gone
    assert "gone: commit_parent_missing" in done.stderr


def test_what_was_not_looked_for_is_not_gone(
    worked: psycopg.Connection[Any], tmp_path: Path
) -> None:
    dsn, file = _dsn(worked), tmp_path / "known.json"
    _corrupt(worked, "commit_parent_dangling")
    run("fsck", "--dsn", dsn, "--write-baseline", file)
    words = ("--check", "branch_head_missing", "--format", "json")
    done = run("fsck", "--dsn", dsn, "--baseline", file, *words)
    assert (done.returncode, json.loads(done.stdout)["gone"]) == (CLEAN, [])


def test_a_baseline_has_a_version_and_another_one_is_refused(
    worked: psycopg.Connection[Any], tmp_path: Path
) -> None:
    file = tmp_path / "known.json"
    run("fsck", "--dsn", _dsn(worked), "--read-only", "--write-baseline", file)
    document = json.loads(file.read_text())
    assert document["version"] == 1
    file.write_text(json.dumps({**document, "version": 2}))
    done = run("fsck", "--dsn", _dsn(worked), "--baseline", file)
    assert done.returncode == USAGE
    assert "version is 2" in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"kind": "other"}'])
def test_what_is_no_baseline_is_a_usage_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "known.json"
    file.write_text(text)
    done = run("fsck", "--baseline", file)
    assert done.returncode == USAGE
    assert "is no baseline" in done.stderr
    assert "--write-baseline" in done.stderr


def test_a_baseline_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run("fsck", "--baseline", tmp_path / "none.json")
    assert done.returncode == COULD_NOT_RUN
    assert "none.json" in done.stderr


def _corrupt(conn: psycopg.Connection[Any], kind: str) -> int:
    row = conn.execute("SELECT pggit_chaos.corrupt(%s)", (kind,)).fetchone()
    assert row is not None
    return int(row[0])


def _dsn(conn: psycopg.Connection[Any]) -> str:
    return conn.info.dsn
