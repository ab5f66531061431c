"""The command line: what it says, where it says it, and how it exits."""

from __future__ import annotations

import os
import pkgutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psycopg
import pytest

from command_line import CLEAN, COULD_NOT_RUN, FINDINGS, INTERRUPTED, USAGE, rows, run, words
from patience import until
from pggit_chaos import commands
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target
from servers.fleet import Fleet

pytestmark = pytest.mark.one_version

COMMANDS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


@pytest.fixture
def dsn(cluster: Cluster, database: str) -> str:
    """The DSN of a database with the reference target, some work in it, and the extension."""
    with cluster.connect(database, autocommit=True) as conn:
        Target(conn).workload(steps=40)
    return cluster.dsn(database)


@pytest.fixture
def bare_dsn(cluster: Cluster, bare_database: str) -> str:
    """The DSN of a database with nothing in it."""
    return cluster.dsn(bare_database)


@pytest.fixture
def bindir(fleet: Fleet, server_version: str) -> Path:
    """Where the programs of the version under test are."""
    return fleet.programs(server_version).bindir


# -- help and usage ------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == CLEAN
    assert "Example" in done.stdout
    assert f"pggit-chaos {command}" in done.stdout


def test_help_lists_every_command() -> None:
    text = run("--help").stdout
    assert [command for command in COMMANDS if f"\n  {command} " not in text] == []


def test_the_version_is_that_of_the_control_file() -> None:
    from pggit_chaos import extension

    assert extension.version() in run("--version").stdout


@pytest.mark.parametrize(
    "asked",
    [
        ["no-such-command"],
        ["fsck", "--no-such-option"],
        ["fsck", "--format", "yaml"],
        ["fsck", "--dsn", "dbname=x", "--pggit-source", "y"],
        ["fsck", "--dsn", "dbname=x", "--pg-bindir", "y"],
        ["fsck", "--dsn", "this is no dsn"],
        ["drill", "kind", "--category", "c"],
        ["drill", "--kind", "kind", "--category", "c"],
        ["drill", "--physical", "--in-place"],
        ["drill", "--physical", "--pairs"],
        ["drill", "--physical", "--category", "c"],
        ["drill", "--physical", "--kind", "no_such_kind"],
        ["drill", "--seed", "many"],
        ["install"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(asked: list[str]) -> None:
    done = run(*asked)
    assert done.returncode == USAGE
    assert done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["drill", "no_such_kind"], 'corruption kind "no_such_kind" does not exist'),
        (["drill", """it's a "kind\""""], "does not exist"),
        (["drill", "--category", "no_such_category"], "no_such_category"),
        (["fsck", "no_such_check"], 'check "no_such_check" does not exist'),
        (["fsck", """it's a "check\""""], "does not exist"),
    ],
)
def test_an_unknown_name_is_a_usage_error(dsn: str, asked: list[str], said: str) -> None:
    done = run(*asked, "--dsn", dsn)
    assert done.returncode == USAGE
    assert said in done.stderr


# -- what cannot run -----------------------------------------------------


def test_a_dsn_that_does_not_answer_is_said_in_a_line(tmp_path: Path) -> None:
    done = run("fsck", "--dsn", f"host={tmp_path} password=secret")
    assert done.returncode == COULD_NOT_RUN
    assert "no connection" in done.stderr
    assert "hint:" in done.stderr
    assert "secret" not in done.stderr


def test_a_database_without_the_extension_says_how_to_install_it(bare_dsn: str) -> None:
    done = run("fsck", "--dsn", bare_dsn)
    assert done.returncode == COULD_NOT_RUN
    assert "has no pggit_chaos" in done.stderr
    assert "pggit-chaos install" in done.stderr


def test_a_database_without_pggit_is_not_clean(bare_dsn: str) -> None:
    assert run("install", "--dsn", bare_dsn).returncode == CLEAN
    done = run("fsck", "--dsn", bare_dsn)
    assert done.returncode == COULD_NOT_RUN
    assert "has no pgGit" in done.stderr


def test_a_database_that_is_not_enabled_says_what_to_run(cluster: Cluster, database: str) -> None:
    with cluster.connect(database) as conn:
        conn.execute(f'ALTER DATABASE "{database}" RESET pggit_chaos.enabled')
    done = run("drill", "--in-place", "--dsn", cluster.dsn(database))
    assert done.returncode == COULD_NOT_RUN
    assert "SET pggit_chaos.enabled = on" in done.stderr


def test_a_directory_that_is_no_checkout_is_said(tmp_path: Path) -> None:
    done = run("doctor", "--pggit-source", tmp_path)
    assert done.returncode == COULD_NOT_RUN
    assert "is no checkout of pgGit" in done.stderr


def test_a_directory_without_a_server_is_said(tmp_path: Path) -> None:
    done = run("doctor", "--pg-bindir", tmp_path)
    assert done.returncode == COULD_NOT_RUN
    assert 'has no program "postgres"' in done.stderr


# -- commands ------------------------------------------------------------


def test_install_status_uninstall_leave_nothing(bare_dsn: str) -> None:
    done = run("install", "--dsn", bare_dsn)
    assert done.returncode == CLEAN
    assert "SET pggit_chaos.enabled = on" in done.stderr
    assert run("install", "--dsn", bare_dsn).returncode == USAGE
    assert run("status", "--dsn", bare_dsn).returncode == CLEAN
    assert run("uninstall", "--dsn", bare_dsn).returncode == CLEAN
    assert run("uninstall", "--dsn", bare_dsn).returncode == COULD_NOT_RUN


def test_install_can_opt_in(bare_dsn: str) -> None:
    assert run("install", "--dsn", bare_dsn, "--enable").returncode == CLEAN
    listed = rows(run("status", "--dsn", bare_dsn, "--format", "json"))
    assert listed[0]["what"] == "enabled"
    assert listed[0]["state"] is True


def test_fsck_of_a_healthy_database_is_clean(dsn: str) -> None:
    done = run("fsck", "--dsn", dsn, "--format", "json")
    assert (done.returncode, rows(done)) == (CLEAN, [])


def test_fsck_lists_what_it_finds(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT pggit_chaos.corrupt('commit_parent_dangling')")
    done = run("fsck", "--dsn", dsn, "--format", "junit")
    assert done.returncode == FINDINGS
    assert int(ET.fromstring(done.stdout)[0].get("failures", 0)) >= 1
    assert run("status", "--dsn", dsn).returncode == FINDINGS


def test_disarm_disarms_what_other_sessions_have_armed(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SELECT FROM pggit_chaos.install_hooks()")
        conn.execute("SELECT pggit_chaos.arm('pggit.commits.insert.before')")
        assert run("status", "--dsn", dsn).returncode == FINDINGS
        assert "ended 1 thing\n" in run("disarm", "--faults-only", "--dsn", dsn).stderr
        conn.execute("SELECT pggit.commit_changes('main', 'm', NULL)")
    assert run("status", "--dsn", dsn).returncode == CLEAN


def test_sweep_takes_statements_and_undoes_everything(dsn: str) -> None:
    statement = "SELECT pggit.commit_changes('main', 'it''s a \"message\"', NULL)"
    with psycopg.connect(dsn, autocommit=True) as conn:
        before = _state(conn)
        done = run("sweep", "--dsn", dsn, statement, "--hits", "--format", "json")
        assert _state(conn) == before
    listed = rows(done)
    assert done.returncode == CLEAN
    assert {row["outcome"] for row in listed} == {"surfaced"}
    assert {row["sqlstate"] for row in listed} == {"40001", "57014"}


def _state(conn: psycopg.Connection[Any]) -> list[Any]:
    return conn.execute("""
        SELECT count(*), md5(string_agg(p.oid || p.prosrc, '' ORDER BY p.oid)),
               (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_event_trigger),
               (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pggit.commits)
          FROM pg_proc AS p
    """).fetchall()


def test_a_masked_error_is_a_finding(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("""
            CREATE FUNCTION pggit.careless() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pggit.generate_trinity_id();
            EXCEPTION WHEN OTHERS THEN
                RAISE EXCEPTION 'something went wrong';
            END $$
        """)
    done = run("sweep", "--dsn", dsn, "SELECT pggit.careless()", "--format", "json")
    assert done.returncode == FINDINGS
    assert rows(done)[0]["masked"] >= 1


def test_a_statement_that_fails_by_itself_is_said_to(dsn: str) -> None:
    done = run("sweep", "--dsn", dsn, "SELECT nothing_of_the_kind()", "--format", "json")
    assert done.returncode == FINDINGS
    assert rows(done)[0]["note"].startswith("fails by itself: 42883")


def test_doctor_names_what_is_missing(bare_dsn: str) -> None:
    done = run("doctor", "--dsn", bare_dsn, "--format", "json")
    states = {(row["area"], row["item"]): row["state"] for row in rows(done)}
    assert done.returncode == CLEAN
    assert states["extension", "pggit_chaos"] == "missing"
    assert states["pgGit", "schema pggit"] == "missing"


def test_doctor_goes_through_pggit_function_by_function(dsn: str) -> None:
    done = run("doctor", "--dsn", dsn, "--format", "json")
    states = {row["item"]: row["state"] for row in rows(done)}
    assert states["pggit.commit_changes(text,text,text)"] == "present"
    assert states["pggit.merge(text,text,text)"] == "missing"
    assert states["opt-in"] == "enabled"


@pytest.mark.parametrize("format_name", ["table", "json", "junit", "markdown"])
def test_data_goes_to_stdout_and_talk_to_stderr(dsn: str, format_name: str) -> None:
    done = run("status", "--dsn", dsn, "--format", format_name)
    assert "enabled" in done.stdout
    assert "enabled" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


# -- interruption --------------------------------------------------------


def test_ctrl_c_exits_130_and_leaves_nothing(bindir: Path) -> None:
    with subprocess.Popen(
        words("sweep", "--pg-bindir", bindir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # "starting ..."
        directory = _server_of(process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in said
    assert not directory.exists()


def test_a_command_that_is_killed_takes_its_statement_along(dsn: str) -> None:
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with psycopg.connect(dsn, autocommit=True) as conn:
        with subprocess.Popen(
            words("sweep", "--dsn", dsn, "SELECT pg_sleep(600)"), stderr=subprocess.DEVNULL
        ) as process:
            until(lambda: conn.execute(asleep).fetchone() == (1,))
            process.kill()
        until(lambda: conn.execute(asleep).fetchone() == (0,))


def _server_of(process: subprocess.Popen[str]) -> Path:
    """Wait until the process has started a server; return where that lives."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        for child in children.read_text().split():
            with suppress(OSError):  # it may end meanwhile
                program = Path(f"/proc/{child}/exe").readlink()
                if program.name == "postgres":
                    (directory,) = (p for p in program.parents if p.name.startswith("pggit-chaos-"))
                    return directory
    raise AssertionError("it ended before it was interrupted")


def test_a_closed_pipe_is_no_error(dsn: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        words("doctor", "--dsn", dsn),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == CLEAN
