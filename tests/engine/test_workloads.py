"""Whatever is done with the reference target by its own operations, fsck finds nothing.

A machine draws operations of Target and DDL of a user, valid or not: what the reference
target refuses it must refuse whole.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from psycopg import sql

from nightly import NIGHTLY
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.target import Target

WORKLOADS = 500 if NIGHTLY else 20

# Few names, so that they meet; some that need quotes, some that a branch may not have.
TABLES = st.sampled_from(["first", "second", 'a "quoted" name', "UPPER", "gone"])
COLUMNS = st.sampled_from(["a", "b", 'c "d"', "id"])
BRANCHES = st.sampled_from(["main", "feature/a", "feature/b", "release", "no such name"])
MESSAGES = st.sampled_from(["", "a message", "'; DROP TABLE pggit.commits; --", "é" * 100])


class Workload(RuleBasedStateMachine):
    """Operations in one transaction that is undone; each is whole or refused."""

    conn: psycopg.Connection[Any]  # of the class that runs

    @initialize()
    def begin(self) -> None:
        self.target = Target(self.conn)
        self.conn.execute("BEGIN")
        self.done: list[str] = []

    def teardown(self) -> None:
        findings = self.conn.execute("SELECT check_id, message FROM pggit_chaos.fsck()").fetchall()
        self.conn.execute("ROLLBACK")
        assert findings == [], self.done

    def attempt(self, what: str, *parts: Any) -> None:
        """Run a statement of a user."""
        names = [sql.Identifier(part) for part in parts]
        self.do(lambda: self.conn.execute(sql.SQL(what).format(*names)), what)

    def do(self, operation: Any, what: str) -> None:
        try:
            with self.conn.transaction():
                operation()
        except NotApplicableError:
            return  # the object is not known on that branch
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(("XX", "57")):
                raise  # an internal error, or the end of the session, is no refusal
            return
        self.done.append(what)

    @rule(table=TABLES)
    def create_table(self, table: str) -> None:
        self.attempt("CREATE TABLE public.{} (id integer PRIMARY KEY, a text)", table)

    @rule(table=TABLES, other=TABLES)
    def create_table_that_refers(self, table: str, other: str) -> None:
        statement = "CREATE TABLE public.{} (id integer PRIMARY KEY REFERENCES public.{})"
        self.attempt(statement, table, other)

    @rule(table=TABLES, column=COLUMNS)
    def add_column(self, table: str, column: str) -> None:
        self.attempt("ALTER TABLE public.{} ADD COLUMN {} text", table, column)

    @rule(table=TABLES, column=COLUMNS)
    def drop_column(self, table: str, column: str) -> None:
        self.attempt("ALTER TABLE public.{} DROP COLUMN {} CASCADE", table, column)

    @rule(table=TABLES, column=COLUMNS, other=COLUMNS)
    def rename_column(self, table: str, column: str, other: str) -> None:
        self.attempt("ALTER TABLE public.{} RENAME COLUMN {} TO {}", table, column, other)

    @rule(table=TABLES, other=TABLES)
    def rename_table(self, table: str, other: str) -> None:
        self.attempt("ALTER TABLE public.{} RENAME TO {}", table, other)

    @rule(table=TABLES, column=COLUMNS)
    def create_index(self, table: str, column: str) -> None:
        self.attempt("CREATE INDEX ON public.{} ({})", table, column)

    @rule(table=TABLES, view=TABLES)
    def create_view(self, table: str, view: str) -> None:
        self.attempt("CREATE VIEW public.{} AS SELECT t.id FROM public.{} AS t", view, table)

    @rule(table=TABLES)
    def drop_table(self, table: str) -> None:
        self.attempt("DROP TABLE public.{} CASCADE", table)

    @rule(branch=BRANCHES, message=MESSAGES)
    def commit(self, branch: str, message: str) -> None:
        self.do(lambda: self.target.commit(branch, message), "commit")

    @rule(branch=BRANCHES, parent=BRANCHES)
    def create_branch(self, branch: str, parent: str) -> None:
        self.do(lambda: self.target.create_branch(branch, parent=parent), "create branch")

    @rule(branch=BRANCHES)
    def delete_branch(self, branch: str) -> None:
        self.do(lambda: self.target.delete_branch(branch), "delete branch")

    @rule(branch=BRANCHES)
    def switch_branch(self, branch: str) -> None:
        self.do(lambda: self.target.switch_branch(branch), "switch branch")

    @rule()
    def record_digests(self) -> None:
        """Whatever is done afterwards, what was recorded reads as it did and is there."""
        self.attempt("SELECT count(*) FROM pggit_chaos.record_digests()")

    @rule(source=BRANCHES, into=BRANCHES, message=MESSAGES)
    def merge(self, source: str, into: str, message: str) -> None:
        self.do(lambda: self.target.merge(source, into, message=message), "merge")

    @rule(table=TABLES, branch=BRANCHES)
    def branch_data(self, table: str, branch: str) -> None:
        self.do(lambda: self.target.create_data_branch(table, branch), "branch data")

    @rule(table=TABLES, branch=BRANCHES)
    def increment_version(self, table: str, branch: str) -> None:
        self.do(
            lambda: self.target.increment_version(self.target.object_id(table, branch=branch)),
            "increment version",
        )


@pytest.mark.timeout(3600)
@pytest.mark.one_version
def test_no_workload_of_the_reference_target_gives_a_finding(conn: Any) -> None:
    work = 0

    class Counted(Workload):
        def teardown(self) -> None:
            nonlocal work
            work += len(self.done)
            super().teardown()

    Counted.conn = conn
    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=WORKLOADS,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=not NIGHTLY,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert work > WORKLOADS, "hardly any operation was possible"


@pytest.mark.one_version
def test_the_machine_notices_what_an_operation_breaks(conn: Any) -> None:
    class Broken(Workload):
        @rule()
        def break_something(self) -> None:
            self.conn.execute("UPDATE pggit.branches SET status = 'DELETED' WHERE name = 'main'")

    Broken.conn = conn
    with pytest.raises(AssertionError, match="branch_main_state"):
        run_state_machine_as_test(
            Broken,
            settings=settings(
                max_examples=20, deadline=None, database=None, phases=[Phase.generate]
            ),
        )
