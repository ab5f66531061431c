"""What create_data_branch promises: rows, copied for a branch, and books that agree."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

BRANCH = "SELECT pggit.create_data_branch(%s, %s, %s)"


@pytest.fixture
def copy_of(conn):
    """Return the name under which a branch keeps its copy of a table."""

    def name(branch, table="t", schema="public"):
        row = conn.execute(
            """SELECT branch_schema, branch_table FROM pggit.branched_tables
                WHERE (branch_name, source_schema, source_table) = (%s, %s, %s)""",
            (branch, schema, table),
        ).fetchone()
        return sql.Identifier(*row)

    return name


def rows(conn, table):
    return conn.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(table)).fetchall()


@pytest.fixture
def table(conn):
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY, name text DEFAULT 'x')")
    conn.execute("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 3) AS i")


def test_a_data_branch_has_the_rows_and_they_are_its_own(conn, scalar, table, copy_of):
    scalar(BRANCH, "t", "main", "feature")
    copy = copy_of("feature")
    assert rows(conn, copy) == rows(conn, sql.Identifier("t"))
    conn.execute(sql.SQL("DELETE FROM {}").format(copy))
    assert scalar("SELECT count(*) FROM t") == 3


def test_a_data_branch_makes_its_branch_and_answers_its_id(conn, scalar, table):
    new = scalar(BRANCH, "t", "main", "feature")
    assert scalar("SELECT id FROM pggit.branches WHERE name = 'feature'") == new
    assert scalar("SELECT count(*) FROM pggit.objects WHERE branch_id = %s", new) == 4


def test_the_books_say_what_was_copied(conn, scalar, table, broken_promises):
    new = scalar(BRANCH, "t", "main", "feature")
    assert conn.execute(
        "SELECT branch_id, row_count, storage_bytes > 0, parent_table FROM pggit.data_branches"
    ).fetchall() == [(new, 3, True, None)]
    assert conn.execute(
        "SELECT branch_name, source_schema, source_table, row_count FROM pggit.branched_tables"
    ).fetchall() == [("feature", "public", "t", 3)]
    assert conn.execute(
        "SELECT branch_name, row_count FROM pggit.branch_storage_stats"
    ).fetchall() == [("feature", 3)]
    assert not broken_promises()


def test_a_branch_can_have_copies_of_many_tables(conn, scalar, table, broken_promises):
    conn.execute("CREATE TABLE u AS SELECT 1 AS one")
    assert scalar(BRANCH, "t", "main", "feature") == scalar(BRANCH, "public.u", "main", "feature")
    assert scalar("SELECT row_count FROM pggit.branch_storage_stats") == 4
    assert not broken_promises()


def test_a_branch_of_a_data_branch_has_its_rows(conn, scalar, table, copy_of, broken_promises):
    scalar(BRANCH, "t", "main", "first")
    conn.execute(sql.SQL("DELETE FROM {} WHERE id < 3").format(copy_of("first")))
    scalar(BRANCH, "t", "first", "second")
    assert rows(conn, copy_of("second")) == [(3, "row 3")]
    assert scalar("SELECT count(parent_table) FROM pggit.data_branches") == 1
    assert not broken_promises()


def test_a_copy_has_the_definition_of_its_table(conn, scalar, copy_of):
    conn.execute("""
        CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                        n integer CHECK (n > 0),
                        twice integer GENERATED ALWAYS AS (n * 2) STORED, s serial);
        CREATE INDEX ON t (n);
        INSERT INTO t (n) VALUES (1), (2);
    """)
    scalar(BRANCH, "t", "main", "feature")
    copy = copy_of("feature")
    assert rows(conn, copy) == [(1, 1, 2, 1), (2, 2, 4, 2)]
    conn.execute(sql.SQL("INSERT INTO {} (n) VALUES (3)").format(copy))
    assert rows(conn, copy)[-1] == (3, 3, 6, 3)
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(sql.SQL("INSERT INTO {} (n) VALUES (0)").format(copy))


@pytest.mark.parametrize(
    "definition",
    ["()", "(g integer GENERATED ALWAYS AS (1) STORED)", "(n integer) PARTITION BY LIST (n)"],
    ids=["no column", "generated only", "partitioned"],
)
def test_odd_tables_can_be_branched(conn, scalar, definition, broken_promises):
    conn.execute(f"CREATE TABLE t {definition}")
    scalar(BRANCH, "t", "main", "feature")
    assert not broken_promises()


@pytest.mark.parametrize("schema", ["s", 'we"ird.na me', "x" * 63])
def test_hostile_names(conn, scalar, schema, copy_of, broken_promises):
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    for name in ("t", "T. 't\"", "é" * 31, "y" * 63):
        table = sql.Identifier(schema, name)
        conn.execute(sql.SQL("CREATE TABLE {} AS SELECT 1 AS n").format(table))
        for branch in ("a" * 200, "a" * 200 + "b"):
            scalar(BRANCH, table.as_string(conn), "main", branch)
            assert rows(conn, copy_of(branch, name, schema)) == [(1,)]
    assert not broken_promises()


def test_names_that_look_alike_when_joined_stay_apart(conn, scalar, broken_promises):
    conn.execute('CREATE SCHEMA s; CREATE TABLE s."t.u" (); CREATE SCHEMA "s.t"')
    conn.execute('CREATE TABLE "s.t".u ()')
    scalar(BRANCH, 's."t.u"', "main", "feature")
    scalar(BRANCH, '"s.t".u', "main", "feature")
    assert not broken_promises()


def test_deleting_the_branch_drops_its_copies(conn, scalar, table, copy_of, broken_promises):
    scalar(BRANCH, "t", "main", "first")
    scalar(BRANCH, "t", "first", "second")
    copy = copy_of("first").as_string(conn)
    conn.execute("SELECT pggit.delete_branch_simple('first')")
    assert scalar("SELECT to_regclass(%s) IS NULL", copy)
    assert not broken_promises()


def test_dropping_a_copy_by_hand_strikes_it_out(conn, scalar, table, copy_of, broken_promises):
    scalar(BRANCH, "t", "main", "feature")
    conn.execute(sql.SQL("DROP TABLE {}").format(copy_of("feature")))
    assert scalar("SELECT count(*) FROM pggit.branch_storage_stats") == 0
    assert not broken_promises()


def test_dropping_the_table_leaves_the_copy(conn, scalar, table, copy_of, broken_promises):
    scalar(BRANCH, "t", "main", "feature")
    conn.execute("DROP TABLE t")
    assert len(rows(conn, copy_of("feature"))) == 3
    assert not broken_promises()


def test_what_breaks_a_rule_is_refused_and_nothing_is_done(conn, scalar, table, refuses):
    conn.execute("CREATE VIEW v AS SELECT id FROM t; SELECT pggit.create_branch('deleted')")
    conn.execute("SELECT pggit.delete_branch_simple('deleted')")
    scalar(BRANCH, "t", "main", "taken")
    refuses("42P01", BRANCH, "nothing", "main", "x")
    refuses("42P01", BRANCH, "nowhere.t", "main", "x")
    refuses("22023", BRANCH, "a table", "main", "x")
    refuses("42809", BRANCH, "v", "main", "x")
    refuses("42809", BRANCH, "pggit.commits", "main", "x")
    refuses("42809", BRANCH, "pg_catalog.pg_class", "main", "x")
    refuses("42704", BRANCH, "t", "nowhere", "x")
    refuses("55000", BRANCH, "t", "main", "deleted")
    refuses("42602", BRANCH, "t", "main", "not allowed")
    refuses("42P07", BRANCH, "t", "main", "taken")
    refuses("22004", BRANCH, "t", None, "x")
    refuses("22004", BRANCH, "t", "main", None)
    refuses("22004", BRANCH, None, "main", "x")
