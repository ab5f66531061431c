"""What the strategies draw is what they say, and it shrinks towards nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from psycopg import sql

from pggit_chaos import strategies
from pggit_chaos.chaos import Chaos
from pggit_chaos.model import Model
from pggit_chaos.plans import (
    Commit,
    CreateBranch,
    CreateTable,
    FaultPlan,
    Merge,
    Operation,
    Part,
    Table,
    Version,
)
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
many = settings(few, max_examples=100)
pytestmark = pytest.mark.one_version

BRANCH_NAME = "SELECT %s ~ '^[a-zA-Z0-9._/#-]+$'"


def value(conn: Connection, query: str, *arguments: Any) -> Any:
    row = conn.execute(query, arguments).fetchone()
    assert row is not None
    return row[0]


def fill(conn: Connection, table: Table, rows: list[tuple[Any, ...]]) -> int:
    conn.execute(table.create)
    for row in rows:
        conn.execute(table.insert, row)
    count = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(table.identifier)).fetchone()
    assert count is not None
    return int(count[0])


@few
@given(plain=strategies.identifiers(quoted=False), quoted=strategies.identifiers(quoted=True))
def test_identifiers_are_names_with_and_without_quotes(
    conn: Connection, plain: str, quoted: str
) -> None:
    assert value(conn, "SELECT quote_ident(%s)", plain) == plain
    assert value(conn, "SELECT quote_ident(%s)", quoted) != quoted
    assert value(conn, "SELECT %s::name::text", quoted) == quoted


@few
@given(st.data())
def test_any_table_can_be_made_and_any_of_its_rows_put_in(
    conn: Connection, data: st.DataObject
) -> None:
    table = data.draw(strategies.tables())
    rows = data.draw(strategies.rows(table))
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL session_replication_role = replica")
        assert fill(conn, table, rows) == len(rows)


@few
@given(column=strategies.columns(), table=strategies.tables(keyed=False))
def test_any_column_can_be_added_to_a_table_that_has_rows(
    conn: Connection, column: Any, table: Table
) -> None:
    if column.name in [each.name for each in table.columns]:
        return
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(table.create)
        conn.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table.identifier))
        conn.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(table.identifier, column.definition)
        )


@many
@given(good=strategies.branch_names(), bad=strategies.hostile_branch_names())
def test_branch_names_fit_pggits_pattern_and_hostile_ones_do_not(
    conn: Connection, good: str, bad: str
) -> None:
    assert value(conn, BRANCH_NAME, good)
    assert not value(conn, BRANCH_NAME, bad)


@many
@given(message=strategies.commit_messages(), id_=strategies.commit_ids(), text=strategies.texts())
def test_text_is_what_postgresql_can_hold(
    conn: Connection, message: str, id_: str, text: str
) -> None:
    assert 1 <= len(message) <= 1000
    assert len(id_) >= 10
    for each in (message, id_, text):
        assert value(conn, "SELECT %s::text", each) == each


@many
@given(strategies.trinity_ids())
def test_trinity_ids_are_a_time_a_number_and_a_check(conn: Connection, id_: str) -> None:
    assert value(conn, r"SELECT %s ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'", id_)
    assert value(conn, "SELECT to_timestamp(left(%s, 14), 'YYYYMMDDHH24MISS') IS NOT NULL", id_)


@many
@given(version=strategies.versions(), part=strategies.parts())
def test_every_part_of_a_version_can_be_raised(version: Version, part: Part) -> None:
    after = version.next(part)
    assert after > version
    assert all(0 <= each <= strategies.INTEGER_MAX for each in after)
    assert sum(a != b and a != 0 for a, b in zip(after, version, strict=True)) == 1


def test_a_version_is_raised_as_semantic_versions_are() -> None:
    raised = [str(Version(1, 2, 3).next(part)) for part in ("patch", "minor", "major")]
    assert raised == ["1.2.4", "1.3.0", "2.0.0"]


def test_fault_plans_can_be_armed_and_strike_as_they_say(conn: Connection) -> None:
    chaos, target = Chaos(conn), Target(conn)

    @few
    @given(strategies.fault_plans(["pggit.commits.insert.before"], max_hit=1, always=True))
    def struck(plan: FaultPlan | None) -> None:
        assert plan is not None
        with plan.armed(chaos) as fault, pytest.raises(psycopg.Error) as caught:
            target.commit("main", "struck")
        assert fault.fired == 1
        assert caught.value.sqlstate == plan.sqlstate

    with chaos.hooks():
        struck()


def test_a_fault_plan_that_leaves_it_to_chance_strikes_where_its_seed_says(
    conn: Connection,
) -> None:
    chaos, target = Chaos(conn), Target(conn)
    plan = FaultPlan(
        failpoint="pggit.commits.insert.before", action="notice(n)", percent=50, seed=7
    )
    fired = []
    with chaos.hooks():
        for _ in range(2):
            with plan.armed(chaos) as fault:
                for number in range(12):
                    target.commit("main", f"commit {number}")
            fired.append(fault.fired)
    assert 0 < fired[0] == fired[1] < 12


@pytest.mark.parametrize(
    ("action", "sqlstate"),
    [
        ("error(40P01)", "40P01"),
        ("error(53100, disk full)", "53100"),
        ("error", "PC100"),
        ("cancel", "57014"),
        ("terminate", "57P01"),
        ("delay(5)", None),
    ],
)
def test_a_fault_plan_says_what_a_caller_will_see(action: str, sqlstate: str | None) -> None:
    assert FaultPlan(failpoint="f", action=action).sqlstate == sqlstate


@many
@given(strategies.operation_sequences())
def test_every_operation_can_be_done_after_those_before_it(operations: list[Operation]) -> None:
    model = Model()
    for operation in operations:
        model.apply(operation)


# -- what they shrink to ------------------------------------------------------


def smallest(strategy: st.SearchStrategy[Any], condition: Any = lambda _: True) -> Any:
    return find(strategy, condition, settings=settings(database=None, derandomize=True))


def test_a_fault_plan_shrinks_to_no_fault() -> None:
    assert smallest(strategies.fault_plans(["a", "b"])) is None


def test_a_fault_shrinks_to_the_first_hit_of_the_first_failpoint_and_the_smallest_seed() -> None:
    plan = smallest(strategies.fault_plans(["a", "b"]), lambda plan: plan is not None)
    assert plan == FaultPlan(failpoint="a", action="error(40001)", start_hit=1, percent=100, seed=0)


def test_a_sequence_of_operations_shrinks_to_what_is_needed() -> None:
    needed = smallest(
        strategies.operation_sequences(),
        lambda done: any(isinstance(operation, Merge) for operation in done),
    )
    assert [type(operation) for operation in needed] == [CreateBranch, Merge]
    assert smallest(strategies.operation_sequences()) == []


def test_messages_names_and_versions_shrink_to_the_shortest() -> None:
    assert smallest(strategies.commit_messages()) == "0"
    assert len(smallest(strategies.branch_names())) == 1
    assert smallest(strategies.versions()) == Version(0, 0, 0)
    assert len(smallest(strategies.tables()).columns) == 1


# -- the model -------------------------------------------------------------------


def applied(*operations: Operation) -> Model:
    model = Model()
    for operation in operations:
        model.apply(operation)
    return model


def test_a_commit_has_the_former_head_as_its_parent() -> None:
    model = applied(
        Commit(branch="main", message="first"),
        CreateBranch(branch="b", parent="main"),
        Commit(branch="b", message="on b"),
        Commit(branch="main", message="second"),
    )
    assert [commit.parent for commit in model.commits] == [None, 0, 0]
    assert (model.branches["main"].head, model.branches["b"].head) == (2, 1)


def test_a_copy_of_a_model_goes_its_own_way() -> None:
    model = applied(CreateTable(table="t"))
    other = model.copy()
    other.apply(CreateTable(table="u"))
    assert set(model.tables) == {"t"}


def test_nobody_who_does_not_ask_for_them_imports_hypothesis() -> None:
    program = (
        "import pkgutil, sys, pggit_chaos\n"
        "for module in pkgutil.iter_modules(pggit_chaos.__path__, 'pggit_chaos.'):\n"
        "    if module.name not in ('pggit_chaos.__main__', 'pggit_chaos.strategies',"
        " 'pggit_chaos.machine'):\n"
        "        __import__(module.name)\n"
        "sys.exit('hypothesis' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
