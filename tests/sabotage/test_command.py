"""``pggit-chaos sabotage``: the whole of it, with few tests and few sabotages."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from command_line import COULD_NOT_RUN, FINDINGS, INTERRUPTED, USAGE, rows, run, words
from pggit_chaos import sabotage

pytestmark = pytest.mark.one_version

HARMLESS = "COMMENT ON SCHEMA pggit IS 'as it was';"
FEW = ("-k", "test_commit_message_preserved")


@pytest.fixture
def bindir(fleet, server_version):
    """Where the programs of the version under test are."""
    return fleet.programs(server_version).bindir


@pytest.fixture
def harmless(tmp_path):
    """The path of a sabotage that changes nothing."""
    path = tmp_path / "harmless.sql"
    path.write_text(HARMLESS)
    return path


def test_it_lists_them_all():
    listed = rows(run("sabotage", "--list", "--format", "json"))
    assert [row["sabotage"] for row in listed] == [bug.name for bug in sabotage.all()]


def test_an_unknown_one_is_a_usage_error():
    assert run("sabotage", "no_such_sabotage").returncode == USAGE


def test_without_any_test_it_could_not_run(bindir):
    done = run("sabotage", "message_cut", "-k", "no_such_test", "--pg-bindir", bindir)
    assert done.returncode == COULD_NOT_RUN
    assert "did not run to its end" in done.stderr


@pytest.mark.slow
def test_it_tells_who_is_noticed_and_who_survives(bindir, harmless):
    done = run(
        *("sabotage", "message_cut", harmless, *FEW),
        *("--tests", "--jobs", 2, "--pg-bindir", bindir, "--format", "json"),
    )
    assert done.returncode == FINDINGS, done.stderr
    document = json.loads(done.stdout)
    control, cut, survivor = document["sabotages"]
    (test,) = document["tests"]
    assert (test["sabotages"], test["alone"]) == (["message_cut"], 1)
    assert (control["verdict"], control["noticed"]) == ("passes", 0)
    assert cut["verdict"] == "noticed"
    assert cut["property"] > 0
    assert survivor["verdict"] == "survived: no test noticed"


@pytest.mark.slow
def test_what_is_known_is_told_when_it_is_interrupted(bindir):
    command = words("sabotage", "message_cut", "message_normalised", *FEW, "--pg-bindir", bindir)
    with subprocess.Popen(
        [*command, "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("message_cut:"):
                process.send_signal(signal.SIGINT)
                break
        said, _ = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert [row["sabotage"] for row in json.loads(said)["sabotages"]][:2] == [
        "(control)",
        "message_cut",
    ]
