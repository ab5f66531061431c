"""What create_branch, delete_branch_simple, switch_branch and list_branches promise."""

from __future__ import annotations

import psycopg
import pytest

COPIED = """
    SELECT o.object_type::text, o.full_name, o.version, o.metadata, o.ddl_hash, o.is_active,
           p.full_name
      FROM pggit.objects AS o LEFT JOIN pggit.objects AS p ON p.id = o.parent_id
     WHERE o.branch_name = %s ORDER BY o.id"""


@pytest.fixture
def schema(conn):
    """A table, what refers to it, and one that is gone."""
    conn.execute("""
        CREATE TABLE parent (id integer PRIMARY KEY);
        CREATE TABLE child (id integer REFERENCES parent);
        CREATE VIEW sight AS SELECT id FROM child;
        CREATE TABLE gone ();
        DROP TABLE gone;
        SELECT pggit.commit_changes('main', 'ground');
    """)


def test_a_branch_begins_where_its_parent_is(conn, scalar, schema):
    new = scalar("SELECT pggit.create_branch('feature')")
    assert conn.execute(
        """SELECT b.id, b.status::text, b.head_commit_hash = m.head_commit_hash, b.parent_branch_id,
                  b.branch_type FROM pggit.branches AS b, pggit.branches AS m
            WHERE b.name = 'feature' AND m.name = 'main'"""
    ).fetchone() == (new, "ACTIVE", True, 1, "standard")


def test_a_branch_has_what_is_active_on_its_parent(conn, schema):
    conn.execute("SELECT pggit.create_branch('feature')")
    on_main = conn.execute(COPIED, ("main",)).fetchall()
    assert conn.execute(COPIED, ("feature",)).fetchall() == [row for row in on_main if row[5]]


def test_a_branch_has_its_parents_dependencies(conn, scalar, schema, broken_promises):
    conn.execute("SELECT pggit.create_branch('feature')")
    pairs = """SELECT a.full_name, b.full_name, d.dependency_type FROM pggit.dependencies AS d
                 JOIN pggit.objects AS a ON a.id = d.dependent_id
                 JOIN pggit.objects AS b ON b.id = d.depends_on_id
                WHERE a.branch_name = %s ORDER BY 1, 2"""
    assert conn.execute(pairs, ("feature",)).fetchall() == [
        ("public.child", "public.parent", "foreign_key"),
        ("public.sight", "public.child", "view"),
    ]
    assert not broken_promises()


def test_a_branch_of_a_branch(conn, scalar):
    middle = scalar("SELECT pggit.create_branch('middle')")
    conn.execute("SELECT pggit.commit_changes('middle', 'm')")
    conn.execute("SELECT pggit.create_branch('leaf', 'middle')")
    assert scalar("SELECT parent_branch_id FROM pggit.branches WHERE name = 'leaf'") == middle
    assert scalar("SELECT count(DISTINCT head_commit_hash) FROM pggit.branches") == 1


def test_names_that_are_allowed(scalar):
    for name in ("a", "feature/x", "release-1.2_3", "#42", "A/b.c-d_e#f"):
        new = scalar("SELECT pggit.create_branch(%s)", name)
        assert scalar("SELECT name FROM pggit.branches WHERE id = %s", new) == name


def test_what_breaks_a_rule_is_refused_and_nothing_is_done(conn, refuses):
    conn.execute("SELECT pggit.create_branch('deleted')")
    conn.execute("SELECT pggit.delete_branch_simple('deleted')")
    for sqlstate, call in (
        ("22004", "create_branch(NULL)"),
        ("42602", "create_branch('')"),
        ("42602", "create_branch('a b')"),
        ("42602", "create_branch('a''b')"),
        ("42602", "create_branch('é')"),
        ("22004", "create_branch('x', NULL)"),
        ("42704", "create_branch('x', 'nowhere')"),
        ("55000", "create_branch('x', 'deleted')"),
        ("23505", "create_branch('deleted')"),
        ("55000", "delete_branch_simple('main')"),
        ("42704", "delete_branch_simple('nowhere')"),
        ("55000", "delete_branch_simple('deleted')"),
        ("22004", "delete_branch_simple(NULL)"),
        ("42704", "switch_branch('nowhere')"),
        ("55000", "switch_branch('deleted')"),
        ("22004", "switch_branch(NULL)"),
        ("42704", "checkout_branch('nowhere')"),
    ):
        refuses(sqlstate, f"SELECT pggit.{call}")


def test_a_taken_name_is_told_by_its_constraint(refuses):
    error = refuses("23505", "SELECT pggit.create_branch('main')")
    assert error.diag.constraint_name == "branches_name_key"


def test_a_deleted_branch_keeps_its_commits(conn, scalar):
    new = scalar("SELECT pggit.commit_changes('feature', 'm')")
    conn.execute("SELECT pggit.delete_branch_simple('feature')")
    assert scalar("SELECT status::text FROM pggit.branches WHERE name = 'feature'") == "DELETED"
    assert scalar("SELECT count(*) FROM pggit.commits WHERE hash = %s", new) == 1


def test_a_commit_revives_a_deleted_branch(conn, scalar, broken_promises):
    first = scalar("SELECT pggit.commit_changes('feature', 'm')")
    conn.execute("SELECT pggit.delete_branch_simple('feature')")
    second = scalar("SELECT pggit.commit_changes('feature', 'm')")
    assert scalar("SELECT status::text FROM pggit.branches WHERE name = 'feature'") == "ACTIVE"
    assert scalar("SELECT parent_commit_hash FROM pggit.commits WHERE hash = %s", second) == first
    assert not broken_promises()


def test_schema_changes_are_recorded_on_the_branch_that_the_session_is_on(conn, scalar):
    conn.execute("SELECT pggit.create_branch('feature')")
    conn.execute("SELECT pggit.switch_branch('feature')")
    conn.execute("CREATE TABLE t (id integer)")
    assert scalar("SELECT DISTINCT branch_name FROM pggit.objects") == "feature"
    conn.execute("SELECT pggit.switch_branch('main')")
    assert conn.execute("SELECT * FROM pggit.get_version('t')").fetchall() == []


def test_checkout_says_what_it_did(scalar):
    scalar("SELECT pggit.create_branch('feature')")
    assert scalar("SELECT pggit.checkout_branch('feature')") == "Switched to branch: feature"
    assert scalar("SHOW pggit.current_branch") == "feature"


def test_a_switch_does_not_outlive_its_transaction_if_that_is_rolled_back(conn, scalar):
    conn.execute("SELECT pggit.create_branch('feature')")
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT pggit.switch_branch('feature')")
    conn.execute("CREATE TABLE t ()")
    assert scalar("SELECT branch_name FROM pggit.objects") == "main"


def test_schema_changes_on_a_branch_that_is_gone_are_refused(conn, scalar):
    conn.execute("SELECT pggit.create_branch('feature')")
    conn.execute("SELECT pggit.switch_branch('feature')")
    conn.execute("SELECT pggit.delete_branch_simple('feature')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        conn.execute("CREATE TABLE t ()")
    assert scalar("SELECT to_regclass('t') IS NULL")
    conn.execute("CREATE TEMP TABLE t ()")


def test_branches_are_listed(conn):
    conn.execute("SELECT pggit.commit_changes('main', 'm')")
    conn.execute("SELECT pggit.commit_changes('main', 'm')")
    conn.execute("SELECT pggit.create_branch('feature')")
    conn.execute("SELECT pggit.create_branch('old')")
    conn.execute("SELECT pggit.delete_branch_simple('old')")
    columns = "branch_name, status::text, days_inactive, commit_count"
    everything = [("main", "ACTIVE", 0, 2), ("feature", "ACTIVE", 0, 0), ("old", "DELETED", 0, 0)]

    def listed(arguments):
        return conn.execute(f"SELECT {columns} FROM pggit.list_branches({arguments})").fetchall()

    assert listed("") == everything
    assert listed("'DELETED'") == everything[2:]
    assert listed("NULL, 0") == everything
    assert listed("NULL, 1") == []


def test_a_branch_with_data_has_copies_of_its_parents_tables(conn, scalar, broken_promises):
    conn.execute("""
        CREATE TABLE plain AS SELECT 1 AS n;
        CREATE TABLE parts (n integer) PARTITION BY LIST (n);
        CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
        INSERT INTO parts VALUES (1);
        SELECT pggit.create_branch('feature', 'main', true);
    """)
    assert conn.execute(
        "SELECT source_table, row_count FROM pggit.branched_tables ORDER BY id"
    ).fetchall() == [("plain", 1), ("parts", 1)]
    assert not broken_promises()
