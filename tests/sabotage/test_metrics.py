"""The figures of a suite, from runs that are made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pggit_chaos import metrics
from pggit_chaos.chaos import Chaos
from pggit_chaos.journal import Entry
from pggit_chaos.metrics import FailureModes
from pggit_chaos.sabotage import Sabotage
from pggit_chaos.suite_run import Plan, Run

BUG = Sabotage(name="bug", category="resource", summary="It leaks.", path=Path("bug.sql"))
MODES = FailureModes(
    actions=frozenset({"error", "wait"}),
    corruptions=frozenset({"head_lost"}),
    phase_of={
        "pggit.commit_changes(text)": "function.entry",
        "pggit.commits.insert.before": "insert.before",
        "pggit.commits.insert.after": "insert.after",
    },
)


def entry(name, outcome="passed", *markers, **values):
    return Entry(nodeid=name, outcome=outcome, markers=markers, **values)


def a_run(*entries, seconds=1.0):
    return Run(plan=Plan(label="made up"), entries=entries, seconds=seconds)


def figure(name, listed):
    (found,) = [metric for metric in listed if metric.name == name]
    return found.value


def test_who_fails_without_the_sabotage_has_not_noticed_it():
    control = a_run(entry("steady"), entry("broken", "failed"), entry("idle", "skipped"))
    run = a_run(entry("steady", "failed"), entry("broken", "failed"), entry("idle", "failed"))
    verdict = metrics.judge(BUG, control, run)
    assert [noticed.nodeid for noticed in verdict.noticed] == ["steady"]


@pytest.mark.parametrize("outcome", ["passed", "skipped"])
def test_a_sabotage_that_nobody_notices_has_survived(outcome):
    verdict = metrics.judge(BUG, a_run(entry("a")), a_run(entry("a", outcome)))
    assert verdict.failure == "survived: no test noticed"


def test_a_test_of_its_own_category_must_notice():
    control = a_run(entry("a"), entry("b"))
    other = metrics.judge(BUG, control, a_run(entry("a", "failed", "property"), entry("b")))
    own = metrics.judge(BUG, control, a_run(entry("a"), entry("b", "failed", "resource")))
    assert other.failure == "no test of category resource noticed"
    assert own.failure is None


def test_a_file_without_a_category_may_be_noticed_by_any():
    mine = Sabotage(name="mine", category=None, summary="", path=Path("mine.sql"))
    verdict = metrics.judge(mine, a_run(entry("a")), a_run(entry("a", "failed", "property")))
    assert verdict.failure is None


def test_the_matrix_fails_where_the_control_does():
    good = metrics.as_matrix([a_run(entry("a"))], [])
    bad = metrics.as_matrix([a_run(entry("a", "failed"))], [])
    assert (good.failures, bad.failures) == (0, 1)


def test_each_test_is_listed_with_what_it_noticed_and_what_nobody_else_did():
    other = dataclasses.replace(BUG, name="other")
    control = a_run(entry("a"), entry("b"), entry("c"), entry("idle", "skipped"))
    verdicts = [
        metrics.judge(BUG, control, a_run(entry("a", "failed"), entry("b", "failed"))),
        metrics.judge(other, control, a_run(entry("a", "failed"), entry("b"))),
    ]
    listed = metrics.as_tests(control, verdicts)
    assert [
        (record.name, record.values["noticed"], record.values["alone"], record.values["sabotages"])
        for record in listed.records
    ] == [("a", 2, 1, ["bug", "other"]), ("b", 1, 0, ["bug"]), ("c", 0, 0, [])]
    assert listed.failures == 0


@pytest.mark.parametrize(
    ("pattern", "phases"),
    [
        ("pggit.commit_changes", {"phase function.entry"}),
        ("pggit.commit_changes(text)", {"phase function.entry"}),
        ("pggit.*.insert.before", {"phase insert.before"}),
        ("pggit.commits.insert.*", set()),
        ("pggit.gone", set()),
    ],
)
def test_a_pattern_tells_of_a_phase_if_it_covers_one(pattern, phases):
    made = MODES.made_by(entry("a", struck=((pattern, "error"),)))
    assert made == {"action error"} | phases


def test_what_no_test_makes_happen_is_listed():
    run = a_run(entry("a", struck=(("pggit.commit_changes", "wait"),), corrupted=("head_lost",)))
    listed = metrics.as_untested(run, MODES)
    assert [record.name for record in listed.records] == [
        "action error",
        "phase insert.after",
        "phase insert.before",
    ]
    assert figure("failure modes tested", metrics.measure([run], MODES)) == "50 %"


def test_a_test_is_stable_if_every_run_says_the_same():
    runs = [a_run(entry("a"), entry("b")), a_run(entry("a"), entry("b", "failed"))]
    assert figure("stability", metrics.measure(runs, MODES)) == "50 %"
    assert figure("stability", metrics.measure(runs[:1], MODES)) == "-"


def test_bugs_are_counted_per_hundred_tests():
    control = a_run(*(entry(f"test {n}") for n in range(50)))
    found = metrics.judge(BUG, control, a_run(entry("test 1", "failed", "resource")))
    missed = metrics.judge(BUG, control, a_run(entry("test 1")))
    listed = metrics.measure([control], MODES, [found, missed])
    assert figure("bugs found per 100 tests", listed) == "2.0"
    assert figure("time", listed) == "1 s"


def test_the_mean_of_shrink_steps_is_over_what_was_shrunk():
    control = a_run(entry("a"))
    sabotaged = a_run(entry("a", "failed", shrinks=4), entry("b", "failed", shrinks=1), entry("c"))
    listed = metrics.measure([control], MODES, sabotaged=[sabotaged])
    assert figure("mean shrink steps", listed) == "2.5"


@pytest.mark.one_version
def test_failure_modes_are_discovered(conn):
    chaos = Chaos(conn)
    modes = metrics.failure_modes(chaos)
    assert {"error", "wait", "crash", "skip", "mutate"} <= modes.actions
    assert modes.corruptions == {kind.kind for kind in chaos.corruption_kinds() if kind.applies}
    assert {"function.entry", "insert.before", "delete.after", "update.commit", "ddl.drop"} <= set(
        modes.phase_of.values()
    )
    assert not chaos.hooks_installed()
