"""What becomes of a test when it is over, and what a failure says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.one_version

Run = Callable[..., pytest.RunResult]

LEFT_BEHIND = """
import pytest

CORRUPT = "SELECT pggit_chaos.corrupt('branch_main_deleted')"

def test_leaves_damage(pggit):
    pggit.conn.execute(CORRUPT)

@pytest.mark.may_leave_findings
def test_may_leave_anything(pggit):
    pggit.conn.execute(CORRUPT)

@pytest.mark.may_leave_findings("branch_main_missing")
def test_may_leave_this(pggit):
    pggit.conn.execute(CORRUPT)

@pytest.mark.may_leave_findings("branch_main_state")
def test_may_leave_something_else(pggit):
    pggit.conn.execute(CORRUPT)

def test_leaves_a_lock_on_what_fsck_reads(sync_conn):
    sync_conn.execute("LOCK TABLE pggit.branches")

def test_heals_what_it_did(chaos):
    with chaos.corruption("branch_main_deleted"):
        pass
"""


def test_damage_that_is_left_fails_a_test_unless_it_may(chaos_run: Run) -> None:
    result = chaos_run(LEFT_BEHIND)
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*test_leaves_damage*",
            "the test left what fsck finds*",
            "*error branch_main_missing pggit.branches*",
            "*test_may_leave_something_else*",
        ]
    )


FAILURES = """
import psycopg

def test_fails(pggit, chaos, chaos_connect):
    chaos_connect(autocommit=True).execute(
        "SELECT pggit_chaos.arm('pggit.branches.insert.before', scope => 'database')")
    chaos.conn.execute("SELECT pggit_chaos.hold_lock('pggit.history', 'SHARE')")
    chaos.conn.execute("SELECT pggit_chaos.corrupt('branch_main_deleted')")
    with chaos.fault("pggit.commits.insert.after", "error(40001)") as fault:
        try:
            pggit.commit("main", "a message")
        except psycopg.Error:
            pass
    assert fault.fired == 17

def test_loses_its_session(chaos):
    with chaos.fault("pggit.commits.insert.after"):
        chaos.conn.close()
        assert False
"""


def test_a_failure_tells_what_was_armed_what_fired_and_what_is_left(chaos_run: Run) -> None:
    result = chaos_run(FAILURES)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- pggit_chaos -*",
            "armed by the test:",
            "  pggit.commits.insert.after error(40001) (session): hit *, fired *",
            "armed still:",
            "  pggit.branches.insert.before error (database, armed): hit *, fired *",
            "lock holds:",
            "  SHARE on pggit.history by pid *",
            "corruptions:",
            "  branch_main_deleted (present): 1 rows of pggit.branches",
            "fsck:",
            "  error branch_main_missing *",
            "*test_loses_its_session*",
            "  pggit.commits.insert.after error (session): counters lost *",
        ]
    )


OUT_OF_TIME = """
import signal

import pytest
from pggit_chaos.plugin import evidence

@pytest.mark.timeout(60)
def test_fails_in_its_last_moment(chaos, monkeypatch):
    time_is_up = lambda experiment: signal.raise_signal(signal.SIGALRM)
    monkeypatch.setattr(evidence, "describe", time_is_up)
    assert False

def test_comes_after(chaos):
    pass
"""


def test_a_timeout_while_a_failure_is_explained_ends_the_explanation_alone(chaos_run: Run) -> None:
    result = chaos_run(OUT_OF_TIME)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*assert False*", "it could not be read: Timeout *"])


NOT_FIRED = """
def test_armed_for_nothing(chaos):
    with chaos.fault("pggit.commits.insert.after"):
        pass

def test_struck(chaos, pggit):
    with chaos.fault("pggit.commits.insert.after", "notice(hello)"):
        pggit.commit("main", "a message")
"""


@pytest.mark.parametrize(("options", "failed"), [((), 0), (("--chaos-must-fire",), 1)])
def test_a_fault_must_fire_where_that_is_asked_for(
    chaos_run: Run, options: tuple[str, ...], failed: int
) -> None:
    result = chaos_run(NOT_FIRED, *options)
    result.assert_outcomes(passed=2 - failed, failed=failed)
    if failed:
        result.stdout.fnmatch_lines(["armed, and never fired:", "*insert.after error (session): *"])


NOT_APPLICABLE = """
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings, strategies as st

from pggit_chaos.errors import NotApplicableError

def fail(*_):
    raise NotApplicableError("this pgGit has no function pggit.xyz()")

def test_directly():
    fail()

def test_in_a_thread():
    with ThreadPoolExecutor() as pool:
        pool.submit(fail).result()

def test_in_a_group():
    with pytest.raises(ZeroDivisionError):
        1 / 0
    raise ExceptionGroup("two", [NotApplicableError("one"), NotApplicableError("other")])

@settings(database=None)
@given(st.integers())
def test_in_an_example(number):
    fail()

@pytest.fixture
def xyz():
    fail()

def test_in_a_fixture(xyz):
    pass

def test_with_another_error():
    raise ExceptionGroup("two", [NotApplicableError("one"), ValueError("a real one")])
"""


def test_what_pggit_lacks_is_a_skip_with_its_reason(chaos_run: Run) -> None:
    result = chaos_run(NOT_APPLICABLE, "-rs")
    result.assert_outcomes(skipped=5, failed=1)
    result.stdout.fnmatch_lines(["SKIPPED *not applicable: this pgGit has no function pggit.xyz()"])
