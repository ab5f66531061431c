"""What an ordinary role can do with pgGit, and what it cannot."""

from __future__ import annotations

import psycopg
import pytest

OPERATIONS = [
    "SELECT pggit.commit_changes('main', 'm')",
    "SELECT pggit.commit_changes('feature', 'm')",
    "SELECT pggit.create_branch('feature')",
    "SELECT pggit.create_branch('feature', 'main', true)",
    "SELECT pggit.delete_branch_simple('old')",
    "SELECT pggit.merge_branches('old', 'main')",
    "SELECT pggit.create_data_branch('ordinary.own', 'main', 'feature')",
    "SELECT pggit.switch_branch('old')",
    "SELECT pggit.checkout_branch('old')",
    "SELECT pggit.generate_trinity_id()",
    "SELECT pggit.ensure_object('TABLE', 'ordinary', 'x')",
    "SELECT pggit.increment_version(id, 'ALTER', 'MINOR') FROM pggit.objects",
    "SELECT pggit.increment_version(1, 2, 3, 'major'::text)",
    "SELECT pggit.get_version('ordinary.own')",
    "SELECT pggit.get_history('ordinary.own')",
    "SELECT pggit.list_branches()",
    "SELECT pggit.calculate_schema_hash('ordinary.own')",
    "SELECT pggit.compute_ddl_hash('TABLE', 'ordinary', 'own')",
    "SELECT pggit.version()",
    "CREATE TABLE ordinary.t (id integer PRIMARY KEY)",
    "ALTER TABLE ordinary.own ADD c integer",
    "CREATE INDEX ON ordinary.own (id)",
    "CREATE VIEW ordinary.v AS SELECT id FROM ordinary.own",
    "DROP TABLE ordinary.own",
    "CREATE TEMP TABLE t ()",
]


@pytest.fixture
def own(ordinary):
    """A table of the ordinary role, and a branch."""
    ordinary.execute("CREATE TABLE ordinary.own (id integer)")
    ordinary.execute("SELECT pggit.create_branch('old')")


def test_an_ordinary_role_can_use_pggit(ordinary, own):
    for operation in OPERATIONS:
        with ordinary.transaction(force_rollback=True):
            ordinary.execute(operation)


def test_an_ordinary_role_reads_and_does_not_write_past_the_functions(conn, ordinary):
    for (table,) in conn.execute(
        """SELECT c.oid::regclass::text FROM pg_class AS c
            WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'r'"""
    ):
        ordinary.execute(f"SELECT FROM {table}")
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ordinary.execute(statement)


def test_the_author_is_who_acts(conn, ordinary, scalar):
    ordinary.execute("SELECT pggit.commit_changes('main', 'm')")
    ordinary.execute("CREATE TABLE ordinary.t ()")
    ordinary.execute("SELECT pggit.create_branch('feature')")
    ordinary.execute("SELECT pggit.merge_branches('feature', 'main')")
    assert conn.execute("SELECT DISTINCT author, committer FROM pggit.commits").fetchall() == [
        ("ordinary", "ordinary")
    ]
    assert scalar("SELECT created_by FROM pggit.history") == "ordinary"
    assert conn.execute(
        "SELECT created_by, merged_by FROM pggit.branches WHERE id > 1"
    ).fetchall() == [("ordinary", "ordinary")]


def test_the_author_is_the_role_that_was_set(conn, ordinary, scalar):
    conn.execute("SET ROLE ordinary")
    conn.execute("SELECT pggit.commit_changes('main', 'm')")
    conn.execute("RESET ROLE")
    assert scalar("SELECT author FROM pggit.commits") == "ordinary"


def test_nobody_copies_what_he_may_not_read(conn, ordinary, scalar):
    conn.execute("CREATE TABLE secret AS SELECT 42 AS answer")
    for statement in (
        "SELECT pggit.create_data_branch('secret', 'main', 'feature')",
        "SELECT pggit.create_branch('feature', 'main', true)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ordinary.execute(statement)
    assert scalar("SELECT count(*) FROM pggit.branches") == 1


def test_row_security_holds_for_copies(conn, ordinary, scalar):
    conn.execute("""
        CREATE TABLE t AS SELECT i FROM generate_series(1, 4) AS i;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON t USING (i = 1);
        GRANT SELECT ON t TO ordinary;
    """)
    ordinary.execute("SELECT pggit.create_data_branch('t', 'main', 'feature')")
    assert scalar("SELECT row_count FROM pggit.data_branches") == 1


def test_nobody_drops_the_copies_of_another(conn, ordinary, scalar, broken_promises):
    conn.execute("CREATE TABLE t (); SELECT pggit.create_data_branch('t', 'main', 'feature')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ordinary.execute("SELECT pggit.delete_branch_simple('feature')")
    assert scalar("SELECT status::text FROM pggit.branches WHERE name = 'feature'") == "ACTIVE"
    assert not broken_promises()


def test_nobody_enters_the_table_of_another_as_a_copy(conn, ordinary):
    conn.execute("CREATE TABLE t (); SELECT pggit.create_data_branch('t', 'main', 'feature')")
    copy = conn.execute(
        "SELECT format('pggit_base.%I', table_name) FROM pggit.data_branches"
    ).fetchone()[0]
    for table in (copy, "t", "pggit.commits"):
        with pytest.raises(psycopg.errors.WrongObjectType):
            ordinary.execute("SELECT pggit._enter_copy('t', %s, 't', 'main', 0)", (table,))


def test_who_owns_a_copy_deletes_the_branch(conn, ordinary, scalar, own, broken_promises):
    ordinary.execute("SELECT pggit.create_data_branch('ordinary.own', 'main', 'feature')")
    ordinary.execute("SELECT pggit.delete_branch_simple('feature')")
    assert scalar("SELECT count(*) FROM pggit.data_branches") == 0
    assert not broken_promises()


def test_objects_in_a_search_path_do_not_stand_in_for_postgresqls(conn, ordinary, own):
    ordinary.execute("""
        CREATE FUNCTION ordinary.format(text, text) RETURNS text LANGUAGE plpgsql
            AS 'BEGIN RAISE EXCEPTION ''called''; END';
        CREATE FUNCTION ordinary.quote_ident(text) RETURNS text LANGUAGE plpgsql
            AS 'BEGIN RAISE EXCEPTION ''called''; END';
        CREATE TABLE ordinary.branches ();
        SET search_path = ordinary, pg_catalog, pggit;
    """)
    for operation in OPERATIONS:
        with ordinary.transaction(force_rollback=True):
            ordinary.execute(operation)


def test_every_function_pins_its_search_path(conn):
    """An ATOMIC body has no need to: its names were looked up when it was made."""
    assert (
        conn.execute(
            """SELECT p.oid::regprocedure FROM pg_proc AS p
            WHERE p.pronamespace = 'pggit'::regnamespace
              AND p.prosqlbody IS NULL
              AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)"""
        ).fetchall()
        == []
    )


def test_no_function_catches_an_error(conn):
    assert (
        conn.execute(
            """SELECT p.oid::regprocedure FROM pg_proc AS p
            WHERE p.pronamespace = 'pggit'::regnamespace
              AND (p.prosrc ~* '\\mexception\\s+when\\M' OR p.prosrc ~* 'advisory')"""
        ).fetchall()
        == []
    )
