"""What the event triggers promise: main records the schema, whatever is done to it."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

CHANGES = Path(__file__).with_name("changes.sql")
RECORDED = """
    SELECT o.object_type || ' ' || o.full_name FROM pggit.objects AS o
     WHERE o.is_active AND o.branch_name = 'main' ORDER BY o.object_type, o.full_name"""
HISTORY = """
    SELECT h.change_type::text, h.change_severity::text, o.full_name
      FROM pggit.history AS h JOIN pggit.objects AS o ON o.id = h.object_id ORDER BY h.id"""

# Each of these is done in one go; what it leaves is compared with the catalogue.
_, *SECTIONS = re.split(r"^-- \* (.+)\n", CHANGES.read_text(), flags=re.MULTILINE)
ORDINARY = dict(zip(SECTIONS[0::2], SECTIONS[1::2], strict=True))


@pytest.mark.parametrize("statements", ORDINARY.values(), ids=ORDINARY)
def test_main_records_the_schema(conn, drift, statements):
    conn.execute(statements)
    assert not drift()


def test_concurrently(conn, drift):
    conn.execute("CREATE TABLE a (n integer)")
    conn.execute("CREATE INDEX CONCURRENTLY i ON a (n)")
    conn.execute("REINDEX INDEX CONCURRENTLY i")
    assert not drift()
    conn.execute("DROP INDEX CONCURRENTLY i")
    conn.execute("CREATE TABLE p (n integer) PARTITION BY LIST (n)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
    conn.execute("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY")
    assert not drift()


def test_what_an_extension_brings_is_the_extensions(conn, scalar, drift):
    before = scalar("SELECT count(*) FROM pggit.objects")
    conn.execute("CREATE EXTENSION pgtap")
    assert scalar("SELECT count(*) FROM pggit.objects") == before
    assert not drift()
    conn.execute("DROP EXTENSION pgtap")
    assert not drift()


def test_a_new_table_is_recorded_with_all_that_it_has(conn):
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY, name text DEFAULT 'x')")
    assert [row[0] for row in conn.execute(RECORDED)] == [
        "TABLE public.t",
        "COLUMN public.t.id",
        "COLUMN public.t.name",
        "INDEX public.t_pkey",
    ]
    assert conn.execute(
        "SELECT metadata - 'position' FROM pggit.objects WHERE full_name = 'public.t.name'"
    ).fetchone() == ({"type": "text", "nullable": True, "default": "'x'::text"},)
    assert conn.execute(HISTORY).fetchall() == [
        ("CREATE", "MINOR", "public.t"),
        ("CREATE", "MINOR", "public.t_pkey"),
    ]


def test_a_history_row_has_the_statement(scalar):
    statement = "CREATE TABLE t (id integer) -- why"
    with pytest.raises(psycopg.ProgrammingError):
        scalar(statement)
    assert scalar("SELECT sql_executed FROM pggit.history") == statement


SEVERITIES = [
    ("ADD c text", "MINOR"),
    ("ADD c text NOT NULL DEFAULT ''", "MINOR"),
    ("ADD c text NOT NULL", "MAJOR"),
    ("DROP b", "MAJOR"),
    ("RENAME b TO c", "MAJOR"),
    ("ALTER b TYPE bigint", "MAJOR"),
    ("ALTER b SET NOT NULL", "MAJOR"),
    ("ALTER a DROP NOT NULL", "MINOR"),
    ("ALTER b SET DEFAULT 1", "MINOR"),
    ("ADD CHECK (b > 0)", "MINOR"),
    ("OWNER TO CURRENT_USER", "PATCH"),
    ("SET (fillfactor = 50)", "PATCH"),
]


def test_an_altered_table_gets_one_version_of_fitting_severity(conn):
    conn.execute("CREATE TABLE t (a integer NOT NULL, b integer)")
    for change, severity in SEVERITIES:
        with conn.transaction(force_rollback=True):
            conn.execute(f"ALTER TABLE t {change}")
            assert conn.execute(HISTORY).fetchall()[1:] == [("ALTER", severity, "public.t")], change


def test_a_drop_is_recorded_and_ends_what_the_table_had(conn, scalar, drift):
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t")
    conn.execute("DROP TABLE t CASCADE")
    assert conn.execute(RECORDED).fetchall() == []
    assert sorted(conn.execute(HISTORY).fetchall()[3:]) == [
        ("DROP", "MAJOR", "public.t"),
        ("DROP", "MAJOR", "public.t_pkey"),
        ("DROP", "MAJOR", "public.v"),
    ]
    assert scalar("SELECT count(*) FROM pggit.dependencies") == 0
    assert not drift()


def test_a_table_that_comes_back_goes_on_where_it_was(conn, drift):
    conn.execute("CREATE TABLE t (id integer); DROP TABLE t; CREATE TABLE t (id bigint)")
    assert conn.execute(
        """SELECT o.version, h.old_version, h.new_version
             FROM pggit.objects AS o JOIN pggit.history AS h ON h.object_id = o.id ORDER BY h.id"""
    ).fetchall() == [(3, 1, 2), (3, 2, None), (3, 2, 3)]
    assert not drift()


def test_a_rename_keeps_the_indexes_history(conn, drift):
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY); ALTER TABLE t RENAME TO u")
    assert conn.execute(HISTORY).fetchall()[2:] == [
        ("DROP", "MAJOR", "public.t"),
        ("RENAME", "MAJOR", "public.u"),
        ("ALTER", "MINOR", "public.t_pkey"),
    ]
    assert not drift()


def test_what_is_temporary_is_not_recorded(conn):
    conn.execute("CREATE TEMP TABLE t (id integer PRIMARY KEY); DROP TABLE t")
    conn.execute("CREATE TEMP TABLE t (id integer) ON COMMIT DROP")
    assert conn.execute(HISTORY).fetchall() == []


def test_what_is_rolled_back_is_not_recorded(conn):
    with conn.transaction(force_rollback=True):
        conn.execute("CREATE TABLE t (id integer)")
    assert conn.execute("SELECT FROM pggit.objects").fetchall() == []


def test_a_replicas_changes_are_not_recorded(conn):
    conn.execute("SET session_replication_role = replica")
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    conn.execute("RESET session_replication_role")
    assert conn.execute("SELECT FROM pggit.objects").fetchall() == []
    conn.execute("CREATE TABLE u (id integer REFERENCES t); ALTER TABLE u ADD n integer")
    assert conn.execute(RECORDED).fetchone() == ("TABLE public.u",)


def test_oids_that_a_restore_made_meaningless_mislead_nobody(conn, drift):
    conn.execute("CREATE TABLE a (n integer); CREATE TABLE b (m text)")
    conn.execute("""UPDATE pggit.objects AS o SET metadata = o.metadata || jsonb_build_object('oid',
        CASE o.object_name WHEN 'a' THEN 'b'::regclass ELSE 'a'::regclass END::oid::text)
        WHERE o.object_type = 'TABLE'""")
    conn.execute("ALTER TABLE a ADD c text; ALTER TABLE b ADD c text")
    assert not drift()
    assert {row[0] for row in conn.execute(HISTORY)} == {"CREATE", "ALTER"}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE a RENAME TO b",
        "ALTER VIEW v RENAME TO w",
        "ALTER MATERIALIZED VIEW m RENAME TO n",
        "ALTER INDEX i RENAME TO j",
        "ALTER FUNCTION f RENAME TO g",
        "ALTER PROCEDURE p RENAME TO q",
        "ALTER TABLE a SET SCHEMA other",
        "ALTER SCHEMA s RENAME TO r",
        "DROP FUNCTION f",
        "DROP TABLE a CASCADE",
    ],
)
def test_after_a_restore_with_other_oids(conn, drift, statement):
    conn.execute("""
        CREATE SCHEMA other; CREATE SCHEMA s; SET search_path = s;
        CREATE TABLE a (n integer PRIMARY KEY, m integer); CREATE INDEX i ON a (m);
        CREATE TABLE c (n integer REFERENCES a); CREATE VIEW v AS SELECT n FROM a;
        CREATE MATERIALIZED VIEW m AS SELECT n FROM v;
        CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE PROCEDURE p(n integer) LANGUAGE sql AS '';
        UPDATE pggit.objects SET metadata = metadata || '{"oid": "0"}' WHERE metadata ? 'oid';
        UPDATE pggit.history SET new_metadata = new_metadata || '{"oid": "0"}';
    """)
    conn.execute(statement)
    differences = drift()
    # It goes by the oids that are gone.
    differences.pop("main records every foreign key", None)
    assert not differences


def test_an_index_that_was_rebuilt_keeps_its_record(conn, drift):
    conn.execute("CREATE TABLE a (n integer); CREATE INDEX i ON a (n)")
    conn.execute("REINDEX INDEX CONCURRENTLY i")
    conn.execute("ALTER TABLE a ADD m integer")
    conn.execute("ALTER INDEX i RENAME TO j")
    assert not drift()
    assert conn.execute(HISTORY).fetchall()[2:] == [
        ("ALTER", "MINOR", "public.a"),
        ("DROP", "MAJOR", "public.i"),
        ("RENAME", "MAJOR", "public.j"),
    ]


NAMES = [
    "plain", "Capital", "two words", "a.b", 'quo"te', "apo'strophe", "back\\slash",
    "select", "user", "per%cent %s %I", "(a|b)*[c]{1}^$?+", "dollar$1", "$$", "--",
    "x" * 63, "é日本🎉", "new\nline", " ",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_recorded_like_any(conn, scalar, drift, name):
    def run(statement):
        conn.execute(sql.SQL(statement).format(*[sql.Identifier(name)] * 9))

    run("CREATE SCHEMA {}")
    run("CREATE TABLE {}.{} ({} integer PRIMARY KEY)")
    run("CREATE TABLE {}.other (n integer REFERENCES {}.{})")
    run("CREATE VIEW {}.view AS SELECT {} FROM {}.{}")
    run("CREATE FUNCTION {}.{}({} integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    run("CREATE INDEX ON {}.{} ({})")
    run("ALTER TABLE {}.{} ADD n integer")
    table = (
        sql.Identifier(name).as_string(conn)
        if scalar("SELECT quote_ident(%s) <> %s", name, name)
        else name
    )
    assert scalar("SELECT version FROM pggit.get_version(%s)", f"{name}.{table}") == 3
    run("ALTER TABLE {}.{} RENAME {} TO n2")
    run("ALTER TABLE {}.{} RENAME TO renamed")
    assert not drift()
    run("DROP SCHEMA {} CASCADE")
    assert not drift()


def test_names_that_look_alike_when_joined_stay_apart(conn, drift):
    conn.execute("""CREATE TABLE "a.b" (c integer); CREATE TABLE a ("b.c" integer);
        CREATE SCHEMA s; CREATE TABLE s."t.u" (); CREATE SCHEMA "s.t"; CREATE TABLE "s.t".u ();
        CREATE TABLE "f()" (); CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'""")
    assert not drift()


@pytest.mark.parametrize("setting", ["quote_all_identifiers = on", "search_path = ''"])
def test_settings_of_the_session_do_not_change_what_is_recorded(conn, drift, setting):
    conn.execute(
        "CREATE TABLE public.t (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t"
    )
    conn.execute(f"SET {setting}")
    conn.execute("""ALTER TABLE public.t ADD n integer;
        CREATE TABLE public.u (id integer REFERENCES public.t);
        CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'""")
    conn.execute("DROP VIEW public.v; ALTER TABLE public.t RENAME TO w; DROP FUNCTION public.f")
    conn.execute("RESET ALL")
    assert not drift()
