"""``pggit-chaos suite``: what it lists, how it exits, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from command_line import run
from pggit_chaos import suite_run
from servers.fleet import Fleet

pytestmark = pytest.mark.one_version

CLEAN, FINDINGS, USAGE, COULD_NOT_RUN = 0, 1, 2, 3

Suite = Callable[..., Any]


@pytest.fixture
def run_suite(fleet: Fleet, server_version: str, tmp_path: Path) -> Suite:
    """Run one test of the suite."""
    bindir = fleet.programs(server_version).bindir

    def run_it(*words: str) -> Any:
        return run("suite", "--pg-bindir", bindir, "-k", "test_transaction_example", *words)

    return run_it


def test_what_passes_is_counted_by_category(run_suite: Suite) -> None:
    done = run_suite("--format", "json")
    assert done.returncode == CLEAN, done.stderr
    document = json.loads(done.stdout)
    counts = {row["category"]: row["passed"] for row in document["suite"]}
    assert counts["transaction"] == counts["all"] > 0
    assert document["tests"] == []
    assert "passed" in done.stderr


def test_what_fails_is_listed_with_what_it_said(run_suite: Suite) -> None:
    done = run_suite("--format", "junit", "--", "--chaos-null")
    assert done.returncode == FINDINGS, done.stderr
    (tests,) = ET.fromstring(done.stdout)
    assert int(tests.get("failures", 0)) == len(tests) > 0
    assert "pggit" in tests[0][0].get("message", "")


def test_an_expression_that_matches_nothing_is_a_usage_error(run_suite: Suite) -> None:
    done = run_suite("-k", "nothing_of_the_kind")
    assert done.returncode == USAGE
    assert "no test matches" in done.stderr


def test_a_target_that_is_not_there_is_said_before_pytest_runs() -> None:
    done = run("suite", "--dsn", "host=/nowhere dbname=x")
    assert done.returncode == COULD_NOT_RUN
    assert "no connection" in done.stderr
    assert "test session starts" not in done.stderr


def test_what_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from pggit_chaos import cli

    missing = {"hypothesis", "pytest_timeout"}
    monkeypatch.setattr(suite_run, "find_spec", lambda module: module not in missing or None)
    said: list[str] = []
    monkeypatch.setattr(cli, "_say", said.append)
    assert cli.run(["suite"]) == COULD_NOT_RUN
    assert "hypothesis, pytest-timeout" in said[0]
    assert "pip install 'pggit-chaos[suite]'" in said[1]
