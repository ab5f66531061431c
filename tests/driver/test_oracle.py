"""Where pgGit and the model part, the oracle says so, and the state machine finds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, settings

from pggit_chaos import machine
from pggit_chaos.chaos import Chaos
from pggit_chaos.model import Model
from pggit_chaos.oracle import (
    broken_lines,
    broken_versions,
    departures,
    observe,
    perform,
    refused,
    state,
)
from pggit_chaos.plans import (
    AddColumn,
    BranchData,
    Commit,
    CreateBranch,
    CreateTable,
    DeleteBranch,
    DropTable,
    FaultPlan,
    Merge,
    Operation,
    SwitchBranch,
)
from pggit_chaos.target import Target

pytestmark = pytest.mark.one_version

Connection = psycopg.Connection[Any]

few = settings(deadline=None, derandomize=True, database=None, stateful_step_count=10)

STORY: tuple[Operation, ...] = (
    CreateTable(table="kept"),
    CreateTable(table="gone"),
    CreateTable(table="copied"),
    Commit(branch="main", message="first"),
    CreateBranch(branch="side", parent="main"),
    SwitchBranch(branch="side"),
    AddColumn(table="kept", column="more"),
    Commit(branch="side", message="second"),
    DropTable(table="gone"),
    Merge(source="side", target="main"),
    SwitchBranch(branch="main"),
    BranchData(table="copied", branch="data"),
    AddColumn(table="kept", column="here"),
    SwitchBranch(branch="side"),
    AddColumn(table="kept", column="there"),
    Merge(source="main", target="side"),
    DeleteBranch(branch="data"),
)
# What is changed behind pgGit's back, and a word of what is said of it.
TAMPERING = (
    ("UPDATE pggit.branches SET head_commit_hash = NULL WHERE name = 'main'", "the head of 'main'"),
    ("UPDATE pggit.branches SET status = 'ACTIVE' WHERE name = 'data'", "should be DELETED"),
    ("UPDATE pggit.branches SET parent_branch_id = NULL WHERE name = 'side'", "its parent is None"),
    ("UPDATE pggit.commits SET message = 'other' WHERE message = 'first'", "and is 'other'"),
    ("UPDATE pggit.commits SET parent_commit_hash = 'x' WHERE message = 'second'", "as its parent"),
    ("UPDATE pggit.commits SET branch_id = 1 WHERE message = 'second'", "and is on 'main'"),
    ("DELETE FROM pggit.commits WHERE message = 'second'", "3 commits were made, and pgGit has 2"),
    ("UPDATE pggit.objects SET version = 9 WHERE full_name = 'public.kept'", "and is at 9"),
    ("UPDATE pggit.objects SET is_active = false WHERE full_name = 'public.kept'", "knows None"),
    ("DELETE FROM pggit.objects WHERE branch_name = 'side'", "pgGit does not have: [('side'"),
    ("DELETE FROM pggit.merge_conflicts", "and recorded {}"),
    ("INSERT INTO pggit.branches (name) VALUES ('new')", "nobody made: ['new']"),
)


@pytest.fixture
def told(conn: Connection) -> Model:
    """The model after the story, which pgGit was told, too."""
    model, target = observe(conn), Target(conn)
    for operation in STORY:
        perform(target, operation)
        model.apply(operation)
    return model


@pytest.fixture
def ground(conn: Connection) -> Iterator[machine.Ground]:
    with Chaos(conn).hooks():
        yield machine.Ground(open=lambda: conn)


def test_a_healthy_pggit_and_the_model_do_not_part(conn: Connection, told: Model) -> None:
    assert departures(told, observe(conn)) == []
    assert broken_lines(conn) == []
    assert broken_versions(conn) == []


@pytest.mark.parametrize(("statement", "said"), TAMPERING)
def test_where_they_part_it_is_said(
    conn: Connection, told: Model, statement: str, said: str
) -> None:
    conn.execute(statement)
    assert any(said in each for each in departures(told, observe(conn)))


def test_a_line_with_a_fork_or_without_its_head_is_broken(conn: Connection) -> None:
    target = Target(conn)
    first, _, third = (target.commit("main", str(number)) for number in range(3))
    with conn.transaction(force_rollback=True):
        conn.execute(
            "UPDATE pggit.commits SET parent_commit_hash = %s WHERE hash = %s", (first, third)
        )
        assert len(broken_lines(conn)) == 1
    conn.execute("UPDATE pggit.branches SET head_commit_hash = %s", (first,))
    (said,) = broken_lines(conn)
    assert said.endswith(f"and its head is {first}")


def test_versions_that_do_not_follow_are_broken(conn: Connection) -> None:
    conn.execute("CREATE TABLE public.counted (id integer)")
    target = Target(conn)
    for _ in range(3):
        target.increment_version(target.object_id("counted"))
    conn.execute("DELETE FROM pggit.history WHERE new_version = 4")
    assert any("do not follow" in each for each in broken_versions(conn))
    conn.execute("UPDATE pggit.objects SET version = version + 1")
    assert any("it is at" in each for each in broken_versions(conn))


def test_the_state_is_what_a_rollback_takes_back(conn: Connection) -> None:
    before = state(conn)
    with conn.transaction(force_rollback=True):
        Target(conn).commit("main", "m")
        assert state(conn) != before
    assert state(conn) == before


def test_an_error_that_is_due_and_does_not_come_fails(conn: Connection) -> None:
    with refused("22012"):
        conn.execute("SELECT 1/0")
    with refused():
        conn.execute("SELECT 1/0")
    with pytest.raises(AssertionError, match="40001 is due, and the caller saw 22012"):
        with refused("40001"):
            conn.execute("SELECT 1/0")
    with pytest.raises(AssertionError, match="all is well"):
        with refused("40001"):
            conn.execute("SELECT 1")


def test_the_machine_leaves_the_database_as_it_was(
    conn: Connection, ground: machine.Ground
) -> None:
    before = state(conn)
    machine.run(ground, settings(few, max_examples=3))
    assert state(conn) == before


def test_the_machine_finds_what_a_broken_pggit_does(
    conn: Connection, ground: machine.Ground
) -> None:
    conn.execute("""
        CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.head_commit_hash := OLD.head_commit_hash; RETURN NEW; END';
        CREATE TRIGGER forget BEFORE UPDATE ON pggit.branches
            FOR EACH ROW EXECUTE FUNCTION public.forget();
    """)
    with pytest.raises(AssertionError, match="the head of 'main' should be commit 0, and is none"):
        machine.run(ground, settings(few, max_examples=40, phases=[Phase.generate]))


def test_a_fault_that_is_swallowed_or_renamed_is_told(
    conn: Connection, ground: machine.Ground
) -> None:
    commit = Commit(branch="main", message="m")
    plan = FaultPlan(failpoint="pggit.commits.insert.before", action="error(40001)")
    target, chaos = Target(conn), Chaos(conn)
    assert machine.attempt(target, chaos, commit, None)
    assert not machine.attempt(target, chaos, commit, plan)
    body = """
        CREATE OR REPLACE FUNCTION pggit.commit_changes(
            p_branch_name text, p_message text DEFAULT '', p_custom_trinity_id text DEFAULT NULL)
        RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO pggit.commits (branch_id) VALUES (1);
            RETURN 'done';
        EXCEPTION WHEN OTHERS THEN {}
        END $$"""
    conn.execute(body.format("RETURN 'done';"))
    with pytest.raises(AssertionError, match="swallowed"):
        machine.attempt(target, chaos, commit, plan)
    conn.execute(body.format("RAISE EXCEPTION 'something failed';"))
    with pytest.raises(AssertionError, match="and the caller saw P0001"):
        machine.attempt(target, chaos, commit, plan)
