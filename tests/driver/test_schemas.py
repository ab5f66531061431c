"""What the command line writes is what the published schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from command_line import CLEAN, run
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target
from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version

REFERENCE = ROOT / "docs/reference"


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((REFERENCE / name).read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _lists(document: dict[str, Any]) -> set[str]:
    return {name for name, value in document.items() if isinstance(value, list)}


@pytest.fixture
def dsn(cluster: Cluster, database: str) -> str:
    """The DSN of a database with a finding, a failing operation and something that is gone."""
    with cluster.connect(database, autocommit=True) as conn:
        Target(conn).furnish(steps=30)
        conn.execute("SELECT pggit_chaos.corrupt('commit_parent_dangling')")
    return cluster.dsn(database)


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        (["fsck"], {"findings"}),
        (["fsck", "--read-only"], {"findings"}),
        (["drill", "commit_deleted", "branch_status_lost", "--in-place"], {"drills"}),
        (["drill", "--pairs", "commit_deleted", "branch_status_lost", "--in-place"], {"pairs"}),
        (["sweep", "SELECT pggit.generate_trinity_id()"], {"sweeps"}),
        (["sweep", "--hits", "SELECT pggit.generate_trinity_id()"], {"hits"}),
        (["sweep", "SELECT nothing_of_the_kind()"], {"sweeps"}),
        (["status"], {"status"}),
        (["doctor"], {"doctor"}),
    ],
    ids=lambda words: "-".join(words) if isinstance(words, list) else None,
)
def test_json_is_as_its_schema_says(dsn: str, asked: list[str], listed: set[str]) -> None:
    document = json.loads(run(*asked, "--dsn", dsn, "--format", "json").stdout)
    _validator("output.schema.json").validate(document)
    assert _lists(document) == listed
    assert all(document[name] for name in listed)
    assert listed <= set(_validator("output.schema.json").schema["properties"])


def test_a_baseline_and_what_is_gone_of_it_are_as_their_schemas_say(
    dsn: str, cluster: Cluster, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "known.json"
    run("fsck", "--dsn", dsn, "--write-baseline", file)
    _validator("baseline.schema.json").validate(json.loads(file.read_text()))
    with cluster.connect(database, autocommit=True) as conn:
        conn.execute("SELECT pggit_chaos.heal_all()")
    done = run("fsck", "--dsn", dsn, "--baseline", file, "--format", "json")
    document = json.loads(done.stdout)
    _validator("output.schema.json").validate(document)
    assert document["gone"]


def test_a_row_that_lacks_a_column_is_refused(dsn: str) -> None:
    document = json.loads(run("status", "--dsn", dsn, "--format", "json").stdout)
    del document["status"][0]["failure"]
    with pytest.raises(ValidationError):
        _validator("output.schema.json").validate(document)


def test_the_demo_fails_in_nothing_and_is_as_its_schema_says(
    fleet: Fleet, server_version: str
) -> None:
    bindir = fleet.programs(server_version).bindir
    done = run("demo", "--pg-bindir", bindir, "--format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == CLEAN, done.stdout
    _validator("output.schema.json").validate(document)
    assert list(document) == ["version", "program", "target", "drills", "sweeps"]
    assert all(row["detected"] and row["healed"] for row in document["drills"])
    assert all(row["surfaced"] for row in document["sweeps"])
