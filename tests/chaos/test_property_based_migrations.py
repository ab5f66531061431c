"""What pgGit promises of a schema that changes, whatever the change and however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from pggit_chaos import strategies
from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.oracle import broken_versions, state, value
from pggit_chaos.plans import Column, FaultPlan, Table
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.property, pytest.mark.rolled_back]

# A statement of DDL costs what ten others do.
fewer = settings(max_examples=max(5, settings().max_examples // 2))

Connection = psycopg.Connection[Any]

# What pgGit records of a table of schema public, and what the catalogue says.
RECORD = """
SELECT o.is_active, o.version,
       ARRAY(SELECT k.name FROM jsonb_object_keys(o.metadata -> 'columns') AS k(name)
              ORDER BY k.name COLLATE "C"),
       (SELECT count(*) FROM ONLY pggit.objects AS c
         WHERE c.parent_id = o.id AND c.object_type = 'COLUMN' AND c.is_active)
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE' AND o.schema_name = 'public'
   AND o.object_name = quote_ident(%s) AND o.branch_name = %s
"""
CATALOGUE = """
SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C")
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace
 WHERE c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
LAST_CHANGES = """
SELECT array_agg(h.change_type::text || ' ' || h.change_severity ORDER BY h.id)
  FROM ONLY pggit.history AS h JOIN ONLY pggit.objects AS o ON o.id = h.object_id
 WHERE o.object_type = 'TABLE' AND o.schema_name = 'public'
   AND o.object_name = quote_ident(%s) AND o.branch_name = 'main'
"""
ACTIVE = """
SELECT count(*) FROM ONLY pggit.objects AS o
 WHERE o.object_type::text = %s AND o.schema_name = 'public' AND o.is_active
   AND o.branch_name = 'main'
"""
ADDITIONS = (
    "ADD COLUMN {new} integer",
    "ADD COLUMN {new} text NOT NULL DEFAULT ''",
)
CHANGES = (
    *ADDITIONS,
    "ALTER COLUMN kept TYPE bigint",
    "ALTER COLUMN kept SET DEFAULT 7",
    "ALTER COLUMN kept SET NOT NULL",
    "ADD CHECK (kept > 0)",
)
DDL = (
    "CREATE TABLE public.made (id integer PRIMARY KEY, name text)",
    "ALTER TABLE public.subject ADD COLUMN more text",
    "ALTER TABLE public.subject DROP COLUMN name",
    "CREATE INDEX subject_name ON public.subject (name)",
    "CREATE VIEW public.seen AS SELECT id FROM public.subject",
    "DROP TABLE public.subject CASCADE",  # a view may be there by then
    "CREATE FUNCTION public.called() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
)
PLAIN = strategies.identifiers(quoted=False)
SUBJECT = "CREATE TABLE public.subject (id integer, name text)"
CATALOGUE_OF_ALL = """
SELECT array_agg(c.relname::text || ' ' || a.attname ORDER BY c.relname, a.attname)
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""


@contextmanager
def undone(pggit: Target) -> Iterator[Connection]:
    """One example: what it does is rolled back."""
    with pggit.conn.transaction(force_rollback=True):
        yield pggit.conn


def record(conn: Connection, table: str, branch: str = "main") -> Any:
    """What pgGit knows: is it active, its version, its columns, how many have their own row."""
    return conn.execute(RECORD, (table, branch)).fetchone()


def alter(conn: Connection, table: str, change: str, **names: str) -> None:
    statement = sql.SQL("ALTER TABLE {table} " + change)
    identifiers = {key: sql.Identifier(name) for key, name in names.items()}
    conn.execute(statement.format(table=sql.Identifier("public", table), **identifiers))


def agree(conn: Connection, table: str) -> None:
    """Fail unless pgGit records the columns that the table has, each in a row of its own."""
    due, known = value(conn, CATALOGUE, table), record(conn, table)
    assert known is not None, f"pgGit does not know table {table!r}"
    active, _, columns, rows = known
    assert active, f"table {table!r} exists, and pgGit has it as dropped"
    assert columns == due, f"table {table!r} has columns {due}, and pgGit knows {columns}"
    assert rows == len(due), f"{rows} of its {len(due)} columns have a row of their own"


class TestTracking:
    @fewer
    @given(strategies.tables(names=PLAIN, column_names=PLAIN))
    def test_any_table_is_tracked_with_all_of_its_columns(
        self, pggit: Target, table: Table
    ) -> None:
        """Promise: whatever columns a table has, pgGit records them."""
        with undone(pggit) as conn:
            conn.execute(table.create)
            agree(conn, table.name)

    @fewer
    @given(
        strategies.tables(
            names=strategies.identifiers(quoted=True),
            column_names=strategies.identifiers(quoted=True),
        )
    )
    @example(Table(name="Mixed Case", columns=(Column(name="a.b", type="integer"),)))
    def test_names_that_need_quotes_are_names(self, pggit: Target, table: Table) -> None:
        """Promise: whatever a table and its columns are called, pgGit records them."""
        with undone(pggit) as conn:
            conn.execute(table.create)
            agree(conn, table.name)

    @fewer
    @given(PLAIN)
    @example("ledger1")
    def test_tables_whose_names_differ_in_case_are_two(self, pggit: Target, name: str) -> None:
        """Promise: each table has a record of its own, whatever others resemble it."""
        other = name.swapcase()
        assume(name != other and len(other.encode()) <= 63)
        with undone(pggit) as conn:
            for each, column in ((name, "one"), (other, "two")):
                table = Table(name=each, columns=(Column(name=column, type="integer"),))
                conn.execute(table.create)
            agree(conn, name)
            agree(conn, other)

    @pytest.mark.slow
    @fewer
    @given(PLAIN)
    def test_tables_of_one_name_in_two_schemas_are_two(self, pggit: Target, name: str) -> None:
        """Promise: a table is known with its schema: another's changes are not its own."""
        query = """
            SELECT o.version FROM ONLY pggit.objects AS o
             WHERE o.object_type = 'TABLE' AND o.schema_name = 'elsewhere'
               AND o.branch_name = 'main' AND o.object_name = quote_ident(%s)"""
        with undone(pggit) as conn:
            conn.execute("CREATE SCHEMA elsewhere")
            for schema in ("elsewhere", "public"):
                create = sql.SQL("CREATE TABLE {} (id integer)")
                conn.execute(create.format(sql.Identifier(schema, name)))
            before = value(conn, query, name)
            assert before is not None, "pgGit does not know the table of schema elsewhere"
            alter(conn, name, "ADD COLUMN {new} integer", new="more")
            agree(conn, name)
            assert value(conn, query, name) == before, "a change in public was counted elsewhere"

    @fewer
    @given(st.permutations(("integer", "text", "integer, text")).map(lambda each: each[:2]))
    def test_functions_of_one_name_are_as_many_as_their_arguments_say(
        self, pggit: Target, arguments: list[str]
    ) -> None:
        """Promise: overloaded functions are objects of their own."""
        with undone(pggit) as conn:
            before = value(conn, ACTIVE, "FUNCTION")
            for each in arguments:
                create = (
                    "CREATE FUNCTION public.over({}) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
                )
                conn.execute(sql.SQL(create).format(sql.SQL(each)))
            assert value(conn, ACTIVE, "FUNCTION") == before + len(arguments)

    @fewer
    @given(
        strategies.tables(names=st.just("ground"), column_names=PLAIN, keyed=True, max_columns=4)
    )
    def test_indexes_and_views_are_tracked_with_what_they_are_of(
        self, pggit: Target, table: Table
    ) -> None:
        """Promise: an index has its table as parent, and a view depends on what it reads."""
        with undone(pggit) as conn:
            conn.execute(table.create)
            column = sql.Identifier(table.columns[-1].name)
            conn.execute(sql.SQL("CREATE INDEX of_ground ON public.ground ({})").format(column))
            conn.execute(sql.SQL("CREATE VIEW on_ground AS SELECT {} FROM ground").format(column))
            parent = value(
                conn,
                "SELECT p.full_name FROM ONLY pggit.objects AS o"
                " JOIN ONLY pggit.objects AS p ON p.id = o.parent_id"
                " WHERE o.object_name = 'of_ground' AND o.object_type = 'INDEX'",
            )
            reads = value(
                conn,
                "SELECT array_agg(t.full_name) FROM ONLY pggit.dependencies AS d"
                " JOIN ONLY pggit.objects AS v ON v.id = d.dependent_id"
                " JOIN ONLY pggit.objects AS t ON t.id = d.depends_on_id"
                " WHERE v.object_name = 'on_ground' AND v.object_type = 'VIEW'",
            )
        assert parent == "public.ground", f"an index of ground has {parent} as its parent"
        assert "public.ground" in (reads or []), f"a view on ground depends on {reads}"


class TestEvolution:
    @fewer
    @given(
        strategies.tables(names=st.just("grown"), column_names=PLAIN, max_columns=4),
        strategies.columns(names=PLAIN),
    )
    def test_an_added_column_is_tracked(self, pggit: Target, table: Table, column: Column) -> None:
        """Promise: a column that is added is recorded, in one version more."""
        assume(column.name not in [each.name for each in table.columns])
        with undone(pggit) as conn:
            conn.execute(table.create)
            before = record(conn, "grown")
            add = sql.SQL("ALTER TABLE public.grown ADD COLUMN {}")
            conn.execute(add.format(column.definition))
            agree(conn, "grown")
            assert record(conn, "grown")[1] == before[1] + 1, "one change is not one version"

    @fewer
    @given(
        strategies.tables(names=st.just("shrunk"), column_names=PLAIN, max_columns=4, keyed=False)
    )
    def test_a_dropped_column_is_gone_and_said_to_break_readers(
        self, pggit: Target, table: Table
    ) -> None:
        """Promise: a column that is dropped is recorded no more; that is a MAJOR change."""
        with undone(pggit) as conn:
            conn.execute(table.create)
            alter(conn, "shrunk", "DROP COLUMN {old}", old=table.columns[0].name)
            if len(table.columns) > 1:
                agree(conn, "shrunk")
            else:
                assert record(conn, "shrunk")[2:] == ([], 0), "a table without columns has some"
            assert value(conn, LAST_CHANGES, "shrunk")[-1] == "ALTER MAJOR"

    @fewer
    @given(PLAIN, PLAIN)
    def test_a_renamed_column_is_known_by_its_new_name(
        self, pggit: Target, old: str, new: str
    ) -> None:
        """Promise: after RENAME COLUMN pgGit records the columns that the table has."""
        assume(old != new)
        with undone(pggit) as conn:
            columns = (Column(name=old, type="integer"), Column(name="kept", type="text"))
            assume("kept" not in (old, new))
            conn.execute(Table(name="renaming", columns=columns).create)
            alter(conn, "renaming", "RENAME COLUMN {old} TO {new}", old=old, new=new)
            agree(conn, "renaming")

    @fewer
    @given(PLAIN, PLAIN)
    def test_a_renamed_table_is_known_by_its_new_name_alone(
        self, pggit: Target, old: str, new: str
    ) -> None:
        """Promise: after RENAME the new name is recorded and the old one is not active."""
        assume(old != new)
        with undone(pggit) as conn:
            conn.execute(Table(name=old, columns=(Column(name="id", type="integer"),)).create)
            alter(conn, old, "RENAME TO {new}", new=new)
            agree(conn, new)
            assert not record(conn, old)[0], f"{old!r} is {new!r} now, and still active"

    @pytest.mark.slow
    @fewer
    @given(strategies.tables(names=PLAIN, column_names=PLAIN, max_columns=3), st.booleans())
    def test_a_dropped_table_is_history_and_may_come_again(
        self, pggit: Target, table: Table, again: bool
    ) -> None:
        """Promise: DROP TABLE is recorded, what was before it stays, and the name can be used."""
        with undone(pggit) as conn:
            conn.execute(table.create)
            told = value(conn, LAST_CHANGES, table.name)
            conn.execute(sql.SQL("DROP TABLE {}").format(table.identifier))
            assert record(conn, table.name)[0] is False, "a dropped table is still active"
            changes = value(conn, LAST_CHANGES, table.name)
            assert changes[: len(told)] == told, "with the table its history is gone"
            assert changes[len(told) :] == ["DROP MAJOR"], f"a DROP is told as {changes}"
            if again:
                conn.execute(table.create)
                agree(conn, table.name)

    @pytest.mark.slow
    @fewer
    @given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=6))
    def test_versions_lead_from_change_to_change(self, pggit: Target, changes: list[str]) -> None:
        """Promise: whatever is altered, versions follow one another, and history has each."""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.altered (kept integer)")
            told = len(value(conn, LAST_CHANGES, "altered"))
            for number, change in enumerate(changes):
                names = {"new": f"new {number}"} if "{new}" in change else {}
                alter(conn, "altered", change, **names)
            agree(conn, "altered")
            wrong = broken_versions(conn)
            assert len(value(conn, LAST_CHANGES, "altered")) == told + len(changes)
        assert not wrong, "\n".join(wrong)


class TestBranchesAndMerges:
    @fewer
    @given(strategies.columns(names=st.just("more")))
    def test_a_change_is_recorded_on_the_branch_that_the_session_is_on(
        self, pggit: Target, column: Column
    ) -> None:
        """Promise: what is altered on a branch is not altered on others."""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.parted (id integer)")
            pggit.create_branch("side")
            before = record(conn, "parted")
            pggit.switch_branch("side")
            add = sql.SQL("ALTER TABLE public.parted ADD COLUMN {}")
            conn.execute(add.format(column.definition))
            assert record(conn, "parted") == before, "main has what was done on another branch"
            side = record(conn, "parted", "side")
            assert side is not None, "the branch does not have the table of its parent"
            assert "more" in side[2], "the branch does not have what was done on it"

    @fewer
    @given(
        strategies.tables(names=PLAIN, column_names=PLAIN, max_columns=4),
        strategies.columns(names=st.just("more")),
    )
    def test_a_merge_brings_what_is_new_and_what_changed(
        self, pggit: Target, table: Table, column: Column
    ) -> None:
        """Promise: what was created or altered on the source is on the target after a merge."""
        assume(table.name != "parted")
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.parted (id integer)")
            pggit.create_branch("side")
            pggit.switch_branch("side")
            conn.execute(table.create)
            add = sql.SQL("ALTER TABLE public.parted ADD COLUMN {}")
            conn.execute(add.format(column.definition))
            pggit.switch_branch("main")
            pggit.merge("side", "main")
            agree(conn, table.name)
            agree(conn, "parted")
            wrong = broken_versions(conn)
        assert not wrong, "\n".join(wrong)


class TestFailingMigrations:
    @pytest.mark.slow
    @fewer
    @given(st.lists(st.sampled_from(DDL), min_size=1, max_size=4, unique=True), st.booleans())
    def test_a_migration_that_is_rolled_back_leaves_nothing(
        self, pggit: Target, statements: list[str], savepoint: bool
    ) -> None:
        """Promise: pgGit's tables are what they were, digest by digest."""
        with undone(pggit) as conn:
            conn.execute(SUBJECT)
            before = state(conn)
            for statement in statements if savepoint else [";".join(statements)]:
                with conn.transaction(force_rollback=True):
                    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                        with conn.transaction():  # without what an earlier statement dropped
                            conn.execute(statement)
                            assert state(conn) != before, f"pgGit does not record: {statement}"
            assert state(conn) == before, "something of what was rolled back is still there"

    @pytest.mark.slow
    @fewer
    @given(
        st.sampled_from(DDL),
        strategies.fault_plans(
            ("pggit.objects.*", "pggit.history.insert.*", "ddl.*.end"), max_hit=1, always=True
        ),
    )
    def test_a_migration_that_pggit_cannot_record_does_not_happen(
        self, pggit: Target, chaos: Chaos, statement: str, plan: FaultPlan
    ) -> None:
        """Promise: schema and records change together or not at all, and the caller sees why."""
        with undone(pggit) as conn:
            conn.execute(SUBJECT)
            before = value(conn, CATALOGUE_OF_ALL), state(conn)
            seen = None
            with plan.armed(chaos) as fault:
                try:
                    with conn.transaction():
                        conn.execute(statement)
                except psycopg.Error as error:
                    seen = error.sqlstate
                fired = fault.fired
            after = value(conn, CATALOGUE_OF_ALL), state(conn)
        assert fired, f"pgGit does not come to {plan.failpoint} at: {statement}"
        assert seen == plan.sqlstate, f"struck by {plan.sqlstate}, the caller saw {seen}"
        assert after == before, "the change failed, and something of it is there"

    @pytest.mark.slow
    def test_each_change_fails_at_whatever_step_is_struck(
        self, pggit: Target, chaos: Chaos
    ) -> None:
        """Promise: no step of recording a change can fail unnoticed."""
        pggit.conn.execute(SUBJECT)
        for statement in DDL[1:5]:
            outcomes = chaos.sweep(statement, sqlstates=("40001",))
            steps = [each for each in outcomes if each.failpoint.startswith("pggit.")]
            assert steps, f"pgGit does nothing at: {statement}"
            bad = [each for each in outcomes if each.outcome not in ("surfaced", "tolerated")]
            assert not bad, f"{statement}: {bad[0].outcome} at {bad[0].failpoint}: {bad[0].detail}"


class TestMergingAgain:
    @pytest.mark.parametrize("decision", [None, "TAKE_SOURCE", "TAKE_TARGET"])
    def test_what_both_sides_changed_is_a_conflict_that_somebody_decides(
        self, pggit: Target, decision: str | None
    ) -> None:
        """Promise: a merge takes no side by itself, and then the one that somebody chose."""
        resolve = "resolve_conflict(text,integer,text)"
        if decision is not None and not pggit.has(resolve):
            raise NotApplicableError(f"this pgGit has no function pggit.{resolve}")
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.parted (id integer)")
            pggit.create_branch("side")
            for branch in ("side", "main"):
                pggit.switch_branch(branch)
                alter(conn, "parted", "ADD COLUMN {new} integer", new=f"of {branch}")
            theirs, ours = (record(conn, "parted", branch)[2] for branch in ("side", "main"))
            assert theirs != ours, "the branches do not differ: the test proves nothing"
            pggit.merge("side")
            after = record(conn, "parted")[2]
            assert after == ours, f"both sides changed a table: main had {ours}, and has {after}"
            conflicts = conn.execute(
                "SELECT c.merge_id, c.id FROM ONLY pggit.merge_conflicts AS c"
                " WHERE c.branch_a = 'side'"
            ).fetchall()
            assert conflicts, "both sides changed a table, and the merge tells of no conflict"
            if decision is not None:
                for conflict in conflicts:
                    statement = "SELECT pggit.resolve_conflict(%s::text, %s::integer, %s::text)"
                    conn.execute(statement, (*conflict, decision))
                pggit.merge("side")
                due = theirs if decision == "TAKE_SOURCE" else ours
                after = record(conn, "parted")[2]
                assert after == due, f"decided by {decision}, and the columns are {after}"

    def test_what_was_merged_is_where_the_next_merge_begins(self, pggit: Target) -> None:
        """Promise: a branch that goes on is merged again and again, without a conflict."""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.parted (id integer)")
            pggit.create_branch("side")
            for number in range(3):
                pggit.switch_branch("side")
                alter(conn, "parted", "ADD COLUMN {new} integer", new=f"c{number}")
                pggit.switch_branch("main")
                pggit.merge("side")
                merged, due = (record(conn, "parted", branch)[2] for branch in ("main", "side"))
                assert merged == due, f"merge number {number + 1} left main with {merged}"
