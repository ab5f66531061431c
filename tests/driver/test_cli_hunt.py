"""The hunt: each bug once, each with a script that shows it and nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from command_line import CLEAN, FINDINGS, INTERRUPTED, run, words
from nightly import some
from pggit_chaos import binaries, reference, reproduction, sabotage, shrinking
from pggit_chaos.cluster import Cluster
from pggit_chaos.hunting import Bug, Hunt
from pggit_chaos.recording import Step, connect
from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version

# One bug of each sort: an error that is masked, a finding after ordinary work, a failure.
SABOTAGES = ("serialization_masked", "parent_unrecorded")
FAILING = """
CREATE OR REPLACE FUNCTION pggit.calculate_schema_hash(p_table_name text)
RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / 0; END $$;
"""


@pytest.fixture(scope="session")
def psql() -> Path:
    found = [each.program("psql") for each in binaries.available()]
    return next(path for path in found if path is not None)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of a pgGit that has three bugs."""
    directory = tmp_path_factory.mktemp("pgGit")
    (directory / "sql").mkdir()
    bugs = [sabotage.find(name).path.read_text() for name in SABOTAGES]
    parts = [script.read_text() for script in reference.scripts()]
    (directory / "sql/install.sql").write_text("\n".join([*parts, *bugs, FAILING]))
    return directory


@pytest.fixture(scope="session")
def hunted(
    source: Path, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, int]:
    """What a hunt of that pgGit has written, where its scripts are, and its exit status."""
    output = tmp_path_factory.mktemp("bugs")
    bindir = fleet.programs("15").bindir
    done = run(
        *("hunt", "--pggit-source", source, "--pg-bindir", bindir, "--output", output),
        *("--workloads", 1, "--format", "json"),
    )
    return json.loads(done.stdout), output, done.returncode


def test_each_bug_is_found_once(hunted: tuple[dict[str, Any], Path, int]) -> None:
    document, _, status = hunted
    bugs = {(bug["symptom"], bug["place"]) for bug in document["bugs"]}
    assert status == FINDINGS
    assert len(bugs) == len(document["bugs"])
    assert ("masked", "pggit.commit_changes(text,text,text)") in bugs
    assert ("fails", "calculate_schema_hash with 22012") in bugs
    assert {place.split()[0] for symptom, place in bugs if symptom == "finding"} >= {
        "commit_parent_unrecorded"
    }
    assert {symptom for symptom, _ in bugs} == {"masked", "finding", "fails"}


def test_the_listing_is_as_its_schema_says(hunted: tuple[dict[str, Any], Path, int]) -> None:
    schema = json.loads((ROOT / "docs/reference/output.schema.json").read_text())
    document, _, _ = hunted
    Draft202012Validator(schema).validate(document)
    assert document["bugs"]
    assert document["drills"]


def test_each_script_shows_its_bug_on_that_pggit_and_none_on_a_sound_one(
    hunted: tuple[dict[str, Any], Path, int],
    fleet: Fleet,
    cluster: Cluster,
    server_version: str,
    psql: Path,
) -> None:
    document, output, _ = hunted
    scripts = [Path(bug["script"]) for bug in document["bugs"]]
    assert sorted(scripts) == sorted(output.iterdir())
    for script in some(scripts, 3):
        sound = fleet.reference(server_version)
        unsound = fleet.reference(server_version)
        with cluster.connect(unsound) as conn:
            for name in SABOTAGES:
                sabotage.apply(conn, sabotage.find(name))
            conn.execute(FAILING)
        verdicts = [reproduction.run(psql, script, cluster.dsn(name)) for name in (unsound, sound)]
        fleet.drop(server_version, [sound, unsound])
        assert verdicts == [True, False], script.read_text()


@pytest.mark.slow
def test_a_sound_pggit_has_no_bugs(fleet: Fleet, tmp_path: Path) -> None:
    bindir = fleet.programs("15").bindir
    asked = ("--workloads", 1, "--format", "json", "--output", tmp_path)
    done = run("hunt", "--pg-bindir", bindir, *asked)
    assert done.returncode == CLEAN, done.stdout + done.stderr
    assert json.loads(done.stdout)["bugs"] == []
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_lists_the_bugs_that_were_found(source: Path, fleet: Fleet, tmp_path: Path) -> None:
    bindir = fleet.programs("15").bindir
    command = words(
        *("hunt", "--pggit-source", source, "--pg-bindir", bindir, "--output", tmp_path),
        *("--format", "json"),
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("found: "))
        process.send_signal(signal.SIGINT)
        written, rest = process.communicate()
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in rest
    bugs = json.loads(written)["bugs"]
    assert bugs[0]["name"] == said.removeprefix("found: ").strip()
    assert Path(bugs[0]["script"]).is_file()


def test_functions_of_one_name_have_a_script_each(cluster: Cluster, tmp_path: Path) -> None:
    hunt = Hunt(cluster, "nowhere", target="a test", psql=Path("psql"), directory=tmp_path)
    names = [
        hunt._name(Bug(symptom="torn", place=place, operation="one", text=""))
        for place in ("pggit.f(text)", "pggit.f(integer)", "pggit.g(timestamp with time zone)")
    ]
    assert names == ["torn-pggit.f", "torn-pggit.f-2", "torn-pggit.g"]


# -- shrinking -----------------------------------------------------------


def _exists(conn: psycopg.Connection[Any]) -> bool:
    return conn.execute("SELECT to_regclass('wanted') IS NOT NULL").fetchone() == (True,)


@pytest.mark.parametrize("others", range(6))
def test_only_the_steps_that_it_takes_are_kept(conn: psycopg.Connection[Any], others: int) -> None:
    needed = [
        Step(statements=["CREATE SCHEMA needed"]),
        Step(statements=["CREATE TABLE needed.t AS SELECT nextval('pggit.commits_id_seq') AS i"]),
        Step(statements=["CREATE TABLE wanted AS SELECT 1 / (3 - i) AS j FROM needed.t"]),
    ]
    conn.execute("SELECT setval('pggit.commits_id_seq', 1)")  # nextval must be 2 each time
    noise = [Step(statements=[f"CREATE TABLE noise_{i} ()"]) for i in range(others)]
    failing = [Step(statements=["SELECT 1/0"], undone=True)] * others
    steps = [*noise, needed[0], *failing, needed[1], needed[2], *failing]
    assert shrinking.fewest(conn, steps, _exists) == needed
    assert not _exists(conn)
    assert conn.execute("SELECT last_value FROM pggit.commits_id_seq").fetchone() == (1,)


def test_what_does_not_show_keeps_every_step(conn: psycopg.Connection[Any]) -> None:
    steps = [Step(statements=["SELECT 1"])] * 3
    assert shrinking.fewest(conn, steps, _exists) == steps


# -- recording and telling -----------------------------------------------


@pytest.fixture
def recorded(cluster: Cluster, bare_database: str) -> Iterator[Any]:
    conn, recorder = connect(cluster.dsn(bare_database))
    with conn:
        yield conn, recorder


def test_statements_are_recorded_with_their_arguments(recorded: Any) -> None:
    conn, recorder = recorded
    conn.execute("SELECT %s, %s::text", (1, "it's"))
    assert recorder.steps == [Step(statements=["SELECT 1, 'it''s'::text"])]


def test_a_transaction_is_one_step_without_what_was_undone_in_it(recorded: Any) -> None:
    conn, recorder = recorded
    with conn.transaction():
        conn.execute("SELECT 1")
        with conn.transaction(force_rollback=True):
            conn.execute("SELECT 2")
        with conn.transaction():
            conn.execute("SELECT 3")
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT 4")
    assert recorder.steps == [
        Step(statements=["SELECT 1", "SELECT 3"]),
        Step(statements=["SELECT 4"], undone=True),
    ]


def test_a_step_says_which_error_ended_it(recorded: Any) -> None:
    conn, recorder = recorded
    with pytest.raises(psycopg.errors.DivisionByZero):
        conn.execute("SELECT 1/0")
    (step,) = recorder.steps
    assert (step.sqlstate, step.message, step.undone) == ("22012", "division by zero", True)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("lock_outlives_error", "leaked"), ("serialization_masked", "masked")],
)
def test_an_outcome_is_told_where_it_is_and_nowhere_else(
    name: str, outcome: str, cluster: Cluster, database: str, psql: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    script.write_text(
        reproduction.of_outcome(
            operation="commit",
            statement="SELECT pggit.commit_changes('main', 'a message')",
            ground=[],
            failpoint="pggit.commits.insert.before",
            nth=1,
            sqlstate="40001",
            outcome=outcome,
            place="there",
            target="a test",
        )
    )
    assert not reproduction.run(psql, script, cluster.dsn(database))
    with cluster.connect(database) as conn:
        sabotage.apply(conn, sabotage.find(name))
    assert reproduction.run(psql, script, cluster.dsn(database))


@pytest.mark.parametrize(
    "expression", ["'it''s \\ a \"path\"'", "1\n  -- why\n  + 1", "E'a\\nb'", "'{1,2}'::int[]"]
)
def test_any_statement_can_be_told(
    expression: str, cluster: Cluster, database: str, psql: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    before = Step(name="before", statements=[f"SELECT {expression}"])
    script.write_text(
        reproduction.of_failure(
            sqlstate="22012",
            operation="an operation",
            steps=[before, Step(statements=["SELECT 1/0"])],
            target="a test",
        )
    )
    assert reproduction.run(psql, script, cluster.dsn(database))
    script.write_text(
        reproduction.of_outcome(
            operation="an operation",
            statement=f"SELECT pggit.generate_trinity_id(), {expression}",
            ground=[before],
            failpoint="pggit.generate_trinity_id()",
            nth=1,
            sqlstate="40001",
            outcome="surfaced",
            place="there",
            target="a test",
        )
    )
    assert reproduction.run(psql, script, cluster.dsn(database))
