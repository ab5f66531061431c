"""What pgGit promises of rows that are branched, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from pggit_chaos import strategies
from pggit_chaos.chaos import Chaos
from pggit_chaos.oracle import refused, state, value
from pggit_chaos.plans import Column, FaultPlan, Table
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.property, pytest.mark.rolled_back]

# A statement of DDL costs what ten others do.
fewer = settings(max_examples=max(5, settings().max_examples // 2))

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

NAME = "ledger"
COPY = """
SELECT t.branch_schema, t.branch_table
  FROM ONLY pggit.branched_tables AS t
 WHERE t.branch_name = %s AND t.source_table = %s
"""
BOOKS = """
SELECT t.row_count, (SELECT s.row_count FROM ONLY pggit.branch_storage_stats AS s
                      WHERE s.branch_name = t.branch_name)
  FROM ONLY pggit.branched_tables AS t
 WHERE t.branch_name = %s AND t.source_table = %s
"""
CONTENT = "SELECT array_agg(r::text ORDER BY r::text) FROM {} AS r"
PLAIN = strategies.identifiers(quoted=False)
TWO = Table(
    name=NAME, columns=(Column(name="id", type="integer"), Column(name="note", type="text"))
)
KEYED = Table(
    name=NAME,
    columns=(Column(name="id", type="integer", nullable=False), Column(name="note", type="text")),
    keyed=True,
)
SOME: Rows = [(1, "one"), (2, None), (3, "three")]


@contextmanager
def undone(pggit: Target) -> Iterator[Connection]:
    """One example: what it does is rolled back."""
    with pggit.conn.transaction(force_rollback=True):
        yield pggit.conn


def make(conn: Connection, table: Table, rows: Rows) -> None:
    conn.execute(table.create)
    with conn.cursor() as cursor:
        cursor.executemany(table.insert, rows)


def copy_of(conn: Connection, branch: str, table: str = NAME) -> sql.Identifier:
    """Where a branch has its rows of a table."""
    row = conn.execute(COPY, (branch, table)).fetchone()
    assert row is not None, f"pgGit does not say where branch {branch!r} has its copy"
    return sql.Identifier(*row)


def content(conn: Connection, relation: sql.Identifier) -> list[str]:
    return value(conn, sql.SQL(CONTENT).format(relation)) or []


def tables_and_rows() -> st.SearchStrategy[tuple[Table, Rows]]:
    tables = strategies.tables(names=st.just(NAME), column_names=PLAIN, max_columns=4)
    return tables.flatmap(
        lambda table: st.tuples(st.just(table), strategies.rows(table, max_size=6))
    )


class TestCopies:
    @fewer
    @given(tables_and_rows())
    @example((TWO, []))
    @example((TWO, [(1, "same"), (1, "same"), (None, None), (None, None)]))
    def test_a_data_branch_has_exactly_the_rows_of_its_table(
        self, pggit: Target, ground: tuple[Table, Rows]
    ) -> None:
        """Promise: whatever the rows are and however often, the copy has them, and no others."""
        table, rows = ground
        with undone(pggit) as conn:
            make(conn, table, rows)
            due = content(conn, table.identifier)
            pggit.create_data_branch(NAME, "side")
            assert content(conn, copy_of(conn, "side")) == due, "the copy has other rows"
            assert content(conn, table.identifier) == due, "the table itself has other rows"

    @pytest.mark.slow
    @fewer
    @given(strategies.rows(KEYED, min_size=1, max_size=5), strategies.texts(max_size=20))
    def test_what_is_written_to_one_side_is_not_on_the_other(
        self, pggit: Target, rows: Rows, note: str
    ) -> None:
        """Promise: a table and its copy go their own ways."""
        with undone(pggit) as conn:
            make(conn, KEYED, rows)
            pggit.create_data_branch(NAME, "side")
            table, copy = KEYED.identifier, copy_of(conn, "side")
            due = content(conn, table)
            conn.execute(sql.SQL("UPDATE {} SET note = %s").format(copy), (note + "!",))
            conn.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(copy), (rows[0][0],))
            assert content(conn, table) == due, "a write to the copy reached the table"
            left = content(conn, copy)
            assert len(left) == len(rows) - 1, "a write to the copy was lost"
            conn.execute(sql.SQL("DELETE FROM {}").format(table))
            assert content(conn, copy) == left, "a write to the table reached the copy"

    @pytest.mark.slow
    @fewer
    @given(st.integers(0, 30))
    def test_the_books_say_how_many_rows_were_copied(self, pggit: Target, count: int) -> None:
        """Promise: the number of rows that pgGit records is the number that it copied."""
        with undone(pggit) as conn:
            make(conn, TWO, [(number, None) for number in range(count)])
            pggit.create_data_branch(NAME, "side")
            books = conn.execute(BOOKS, ("side", NAME)).fetchone()
            assert books == (count, count), f"{count} rows were copied; the books say {books}"

    @fewer
    @given(st.integers(1, 1000))
    def test_numbers_go_on_behind_the_rows_that_were_copied(self, pggit: Target, last: int) -> None:
        """Promise: the identity column of a copy draws no number that a copied row has."""
        with undone(pggit) as conn:
            conn.execute(
                "CREATE TABLE public.ledger"
                " (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text)"
            )
            conn.execute("INSERT INTO public.ledger (note) SELECT 'n' FROM generate_series(1, 3)")
            conn.execute("INSERT INTO public.ledger (id) VALUES (%s + 3)", (last,))
            pggit.create_data_branch(NAME, "side")
            insert = sql.SQL("INSERT INTO {} (note) VALUES ('new') RETURNING id")
            new = value(conn, insert.format(copy_of(conn, "side")))
            assert new is not None, "the copy has no numbers of its own"
            assert new > last + 3, f"number {new} was drawn again"

    @pytest.mark.slow
    @fewer
    @given(strategies.tables(names=st.just(NAME), max_columns=4))
    def test_a_copy_has_the_columns_of_its_table(self, pggit: Target, table: Table) -> None:
        """Promise: names, types, defaults and NOT NULL are those of the table."""
        query = """
            SELECT array_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
                                       a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
                             ORDER BY a.attnum)
              FROM pg_attribute AS a
              LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
             WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
        with undone(pggit) as conn:
            make(conn, table, [])
            due = value(conn, query, table.identifier.as_string(conn))
            pggit.create_data_branch(NAME, "side")
            copy = copy_of(conn, "side").as_string(conn)
            assert value(conn, query, copy) == due, "the copy is another table"


class TestBranchesOfData:
    @pytest.mark.slow
    @fewer
    @given(strategies.texts(max_size=10), strategies.texts(max_size=10))
    def test_two_branches_of_a_table_are_two_copies(
        self, pggit: Target, one: str, other: str
    ) -> None:
        """Promise: what is written on a branch is on no other branch."""
        with undone(pggit) as conn:
            make(conn, TWO, SOME)
            notes = {"a": one + "1", "b": other + "2"}
            for branch in notes:
                pggit.create_data_branch(NAME, branch)
            for branch, note in notes.items():
                update = sql.SQL("UPDATE {} SET note = %s").format(copy_of(conn, branch))
                conn.execute(update, (note,))
            for branch, note in notes.items():
                distinct = sql.SQL("SELECT array_agg(DISTINCT note) FROM {}")
                assert value(conn, distinct.format(copy_of(conn, branch))) == [note]

    @pytest.mark.slow
    @fewer
    @given(strategies.texts(max_size=10))
    def test_a_branch_of_a_branch_has_the_rows_of_that_branch(
        self, pggit: Target, note: str
    ) -> None:
        """Promise: the source that is named is the one that is copied."""
        with undone(pggit) as conn:
            make(conn, TWO, SOME)
            pggit.create_data_branch(NAME, "child")
            update = sql.SQL("UPDATE {} SET note = %s")
            conn.execute(update.format(copy_of(conn, "child")), (note + "!",))
            due = content(conn, copy_of(conn, "child"))
            pggit.create_data_branch(NAME, "grandchild", source="child")
            assert content(conn, copy_of(conn, "grandchild")) == due, "it has the rows of main"

    @fewer
    @given(st.booleans())
    def test_a_second_copy_for_a_branch_is_refused(self, pggit: Target, written: bool) -> None:
        """Promise: a copy that a branch has is not silently replaced."""
        with undone(pggit) as conn:
            make(conn, TWO, SOME)
            pggit.create_data_branch(NAME, "side")
            if written:
                conn.execute(sql.SQL("DELETE FROM {}").format(copy_of(conn, "side")))
            due = content(conn, copy_of(conn, "side"))
            with refused(), conn.transaction():
                pggit.create_data_branch(NAME, "side")
            assert content(conn, copy_of(conn, "side")) == due, "the copy was replaced"

    @fewer
    @given(strategies.hostile_branch_names())
    def test_a_name_that_is_none_makes_no_copy(self, pggit: Target, name: str) -> None:
        """Promise: data is branched for branches only: no table, no row, no book."""
        query = "SELECT count(*) FROM pg_class"
        with undone(pggit) as conn:
            make(conn, TWO, SOME)
            before = value(conn, query)
            with refused(), conn.transaction():
                pggit.create_data_branch(NAME, name)
            assert value(conn, query) == before, f"{name!r} left a relation behind"

    @fewer
    @given(strategies.rows(TWO, max_size=4))
    def test_deleting_a_branch_takes_its_copies_and_nothing_else(
        self, pggit: Target, rows: Rows
    ) -> None:
        """Promise: the copy and its books go with the branch; the table stays as it is."""
        with undone(pggit) as conn:
            make(conn, TWO, rows)
            pggit.create_branch("side")
            pggit.create_data_branch(NAME, "side")
            copy = copy_of(conn, "side").as_string(conn)
            due = content(conn, TWO.identifier)
            pggit.delete_branch("side")
            assert value(conn, "SELECT to_regclass(%s)", copy) is None, "the copy is still there"
            assert conn.execute(BOOKS, ("side", NAME)).fetchone() is None, "and so is its book"
            assert content(conn, TWO.identifier) == due, "the table lost rows"


class TestFailures:
    @pytest.mark.slow
    @fewer
    @given(tables_and_rows())
    def test_a_copy_that_is_rolled_back_leaves_nothing(
        self, pggit: Target, ground: tuple[Table, Rows]
    ) -> None:
        """Promise: neither the copy nor a row in pgGit's tables outlives the rollback."""
        query = "SELECT count(*) FROM pg_class"
        with undone(pggit) as conn:
            make(conn, *ground)
            before = value(conn, query), state(conn)
            with conn.transaction(force_rollback=True):
                pggit.create_data_branch(NAME, "side")
            assert (value(conn, query), state(conn)) == before

    @pytest.mark.slow
    @fewer
    @given(
        strategies.fault_plans(
            ("pggit.branched_tables.*", "pggit.branch_storage_stats.*", "ddl.*"),
            actions=("error(40001)", "error(53100)", "cancel"),
            max_hit=1,
            always=True,
        )
    )
    def test_a_copy_that_fails_leaves_nothing_and_says_why(
        self, pggit: Target, chaos: Chaos, plan: FaultPlan
    ) -> None:
        """Promise: a copy is whole and in the books, or there is none and the caller is told."""
        query = "SELECT count(*) FROM pg_class"
        with undone(pggit) as conn:
            make(conn, TWO, SOME)
            before = value(conn, query), state(conn)
            with plan.armed(chaos) as fault:
                with pytest.raises(psycopg.Error) as caught, conn.transaction():
                    pggit.create_data_branch(NAME, "side")
                assert fault.fired, f"data was branched without passing {plan.failpoint}"
            assert caught.value.sqlstate == plan.sqlstate, "what struck is not what is reported"
            assert (value(conn, query), state(conn)) == before, "something is left"

    def test_no_step_of_a_copy_can_fail_unnoticed(self, pggit: Target, chaos: Chaos) -> None:
        """Promise: wherever branching data is struck, all of it is taken back."""
        make(pggit.conn, TWO, SOME)
        if not pggit.has("create_data_branch(text,text,text)"):
            pggit.create_data_branch(NAME, "side")  # says that this pgGit cannot
        outcomes = chaos.sweep(
            "SELECT pggit.create_data_branch('ledger'::text, 'main'::text, 'side'::text)",
            sqlstates=("53100",),
        )
        assert outcomes, "branching data passes no failpoint"
        bad = [each for each in outcomes if each.outcome not in ("surfaced", "tolerated")]
        assert not bad, f"{bad[0].outcome} at {bad[0].failpoint}: {bad[0].detail}"
