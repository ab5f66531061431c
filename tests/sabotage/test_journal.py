"""The journal of a run: what is written of each test, whatever ends the run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pggit_chaos import journal

pytestmark = pytest.mark.one_version

OUTCOMES = """
import pytest

@pytest.fixture
def torn_down():
    yield
    raise RuntimeError("teardown")

@pytest.fixture
def never():
    raise RuntimeError("setup")

@pytest.mark.resource
def test_passed(): pass
def test_failed(): assert False
def test_skipped(): pytest.skip("no")
def test_broken_before(never): pass
def test_broken_after(torn_down): pass
"""
SHRUNK = """
from hypothesis import given, settings, strategies as st

@settings(database=None, derandomize=True)
@given(st.integers())
def test_shrunk(number): assert number < 1000

def test_not_shrunk(): pass
"""
ENDED = """
import os

def test_before(): pass
def test_that_ends_it(): os._exit(1)
def test_after(): pass
"""


@pytest.fixture
def run(tmp_path):
    """Run a file of tests; return its journal by the tests' names."""

    def run_file(text, *arguments):
        (tmp_path / "test_it.py").write_text(text)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    resource\n")
        written = tmp_path / "journal"
        options = ("-q", "-p", "pggit_chaos.journal", "--chaos-journal", str(written))
        command = [sys.executable, "-m", "pytest", *options, *arguments, "test_it.py"]
        subprocess.run(command, cwd=tmp_path, env=os.environ, check=False, capture_output=True)
        return {entry.nodeid.split("::")[1]: entry for entry in journal.read(written)}

    return run_file


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_it_says_what_became_of_each_test(run, options):
    entries = run(OUTCOMES, *options)
    assert {name: entry.outcome for name, entry in entries.items()} == {
        "test_passed": "passed",
        "test_failed": "failed",
        "test_skipped": "skipped",
        "test_broken_before": "failed",
        "test_broken_after": "failed",
    }
    assert entries["test_passed"].markers == ("resource",)


def test_it_says_in_how_many_steps_an_example_was_shrunk(run):
    entries = run(SHRUNK)
    steps = entries["test_shrunk"].shrinks
    assert steps is not None
    assert steps > 0
    assert entries["test_not_shrunk"].shrinks is None


def test_a_test_that_ended_the_run_has_failed(run):
    entries = run(ENDED)
    assert {name: entry.failed for name, entry in entries.items()} == {
        "test_before": False,
        "test_that_ends_it": True,
    }


@pytest.mark.parametrize(
    ("term", "action"),
    [
        ("error", "error"),
        ("error(40001)", "error"),
        ("wait", "wait"),
        ("2*off->1*delay(5)->off", "delay"),
        ("50%skip", "skip"),
        ('mutate({"error": 1})', "mutate"),
    ],
)
def test_it_knows_what_a_term_does(term, action):
    assert journal._first_action(term) == action
