"""What the event triggers promise: main records the schema, whatever is done to it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

RECORDED = """
    SELECT o.object_type || ' ' || o.full_name FROM pggit.objects AS o
     WHERE o.is_active AND o.branch_name = 'main' ORDER BY o.object_type, o.full_name"""
HISTORY = """
    SELECT h.change_type::text, h.change_severity::text, o.full_name
      FROM pggit.history AS h JOIN pggit.objects AS o ON o.id = h.object_id ORDER BY h.id"""

# Each is done in one go; what it leaves behind is compared with the catalogue.
ORDINARY = {
    "keys": "CREATE TABLE a (id integer PRIMARY KEY, u integer UNIQUE CHECK (u > 0))",
    "foreign keys": """CREATE TABLE a (id integer PRIMARY KEY);
        CREATE TABLE b (id integer REFERENCES a)""",
    "foreign key to itself": "CREATE TABLE a (id integer PRIMARY KEY, up integer REFERENCES a)",
    "foreign keys in a circle": """CREATE TABLE a (id integer PRIMARY KEY, b integer);
        CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b""",
    "schema with elements": """CREATE SCHEMA s CREATE TABLE t (id integer PRIMARY KEY)
        CREATE VIEW v AS SELECT id FROM t CREATE INDEX i ON t (id)""",
    "table as": "CREATE TABLE a AS SELECT 1 AS one; SELECT 2 AS two INTO b",
    "empty table": "CREATE TABLE a ()",
    "table like": "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (LIKE a INCLUDING ALL)",
    "table of a type": "CREATE TYPE y AS (n integer, t text); CREATE TABLE a OF y",
    "unlogged": "CREATE UNLOGGED TABLE a (n integer); ALTER TABLE a SET LOGGED",
    "identity": "CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY, d integer GENERATED ALWAYS AS (id * 2) STORED)",
    "inheritance": """CREATE TABLE a (n integer); CREATE TABLE b (m integer) INHERITS (a);
        ALTER TABLE a ADD o integer; ALTER TABLE b NO INHERIT a""",
    "partitions": """CREATE TABLE p (n integer PRIMARY KEY, r integer) PARTITION BY RANGE (n);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p DEFAULT PARTITION BY LIST (n);
        CREATE INDEX i ON p (r); ALTER TABLE p ADD c text DEFAULT 'x'; ALTER TABLE p DROP r;
        CREATE TABLE p3 (n integer NOT NULL, c text); ALTER TABLE p2 ATTACH PARTITION p3 FOR VALUES IN (11);
        ALTER TABLE p DETACH PARTITION p1""",
    "partitioned foreign keys": """CREATE TABLE p (n integer PRIMARY KEY) PARTITION BY LIST (n);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        CREATE TABLE q (n integer REFERENCES p) PARTITION BY LIST (n);
        CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
        CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)""",
    "views": """CREATE TABLE a (n integer, m integer); CREATE VIEW v AS SELECT n FROM a;
        CREATE VIEW w AS SELECT n FROM v; CREATE OR REPLACE VIEW v AS SELECT n, m FROM a;
        ALTER VIEW v ALTER n SET DEFAULT 1; ALTER VIEW w RENAME TO x""",
    "materialized views": """CREATE MATERIALIZED VIEW m AS SELECT 1 AS n; CREATE UNIQUE INDEX i ON m (n);
        REFRESH MATERIALIZED VIEW m; REFRESH MATERIALIZED VIEW CONCURRENTLY m""",
    "indexes": """CREATE TABLE a (n integer, t text); CREATE INDEX i ON a (lower(t)) WHERE n > 0;
        ALTER INDEX i RENAME TO j; ALTER INDEX j SET (fillfactor = 50); REINDEX TABLE a""",
    "column types": """CREATE TABLE a (n integer PRIMARY KEY, t text); CREATE INDEX i ON a (n);
        CREATE VIEW v AS SELECT t FROM a; ALTER TABLE a ALTER n TYPE bigint""",
    "rename column": """CREATE TABLE a (n integer PRIMARY KEY); CREATE VIEW v AS SELECT n FROM a;
        CREATE TABLE b (n integer REFERENCES a); ALTER TABLE a RENAME n TO m""",
    "rename table": """CREATE TABLE a (n integer PRIMARY KEY); CREATE VIEW v AS SELECT n FROM a;
        CREATE TABLE b (n integer REFERENCES a); ALTER TABLE a RENAME TO c""",
    "swap names": """CREATE TABLE a (n integer PRIMARY KEY); CREATE TABLE b (t text);
        ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b""",
    "there and back": """CREATE TABLE a (n integer PRIMARY KEY);
        ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME TO a""",
    "rename index, view, constraint": """CREATE TABLE a (n integer CONSTRAINT k PRIMARY KEY);
        ALTER TABLE a RENAME CONSTRAINT k TO l; ALTER INDEX l RENAME TO m""",
    "set schema": """CREATE SCHEMA s; CREATE TABLE a (n integer PRIMARY KEY); CREATE VIEW v AS SELECT n FROM a;
        CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        ALTER TABLE a SET SCHEMA s; ALTER FUNCTION f SET SCHEMA s""",
    "rename schema": """CREATE SCHEMA s; CREATE TABLE s.a (n integer PRIMARY KEY); CREATE INDEX ON s.a (n);
        CREATE VIEW s.v AS SELECT n FROM s.a; CREATE TABLE b (n integer REFERENCES s.a);
        CREATE PROCEDURE s.p(n integer) LANGUAGE sql AS ''; ALTER SCHEMA s RENAME TO r""",
    "drop and create": """CREATE TABLE a (n integer PRIMARY KEY); DROP TABLE a; CREATE TABLE a (m text PRIMARY KEY)""",
    "drop column": "CREATE TABLE a (n integer, m integer); CREATE INDEX ON a (m); ALTER TABLE a DROP m",
    "drop constraint": "CREATE TABLE a (n integer CONSTRAINT k PRIMARY KEY); ALTER TABLE a DROP CONSTRAINT k",
    "drop cascade": """CREATE TABLE a (n integer PRIMARY KEY); CREATE VIEW v AS SELECT n FROM a;
        CREATE TABLE b (n integer REFERENCES a); DROP TABLE a CASCADE""",
    "drop schema": """CREATE SCHEMA s; CREATE TABLE s.a (n integer); CREATE VIEW s.v AS SELECT n FROM s.a;
        CREATE FUNCTION s.f(s.a) RETURNS integer LANGUAGE sql AS 'SELECT 1'; DROP SCHEMA s CASCADE""",
    "drop many": "CREATE TABLE a (n integer); CREATE TABLE b (); DROP TABLE a, b",
    "drop owned": "CREATE TABLE a (n serial); ALTER TABLE a OWNER TO CURRENT_USER; DROP TABLE a",
    "if not exists": """CREATE TABLE a (n integer); CREATE TABLE IF NOT EXISTS a (m integer);
        CREATE INDEX IF NOT EXISTS i ON a (n); CREATE INDEX IF NOT EXISTS i ON a (n); DROP TABLE IF EXISTS b""",
    "functions": """CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION f(a integer, b text[] DEFAULT '{}', OUT c integer, VARIADIC d text[] DEFAULT '{}')
               LANGUAGE sql AS 'SELECT 1';
        CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2';
        ALTER FUNCTION f(integer) STABLE; DROP FUNCTION f(integer)""",
    "procedures, aggregates": """CREATE PROCEDURE p(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN END';
        CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer);
        ALTER AGGREGATE g(integer) RENAME TO h; DROP AGGREGATE h(integer)""",
    "sequences, types, triggers, rules": """CREATE SEQUENCE q; CREATE TYPE y AS ENUM ('a'); CREATE DOMAIN d AS text;
        CREATE TABLE a (n integer DEFAULT nextval('q'), y y, d d);
        CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION t();
        CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING; CREATE STATISTICS s ON n, y FROM a;
        ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a USING (true)""",
    "functions of a type": """CREATE TYPE y AS ENUM ('a'); CREATE FUNCTION f(y) RETURNS y LANGUAGE sql AS 'SELECT $1';
        DROP TYPE y CASCADE""",
    "comments, grants, owners": """CREATE TABLE a (n integer); COMMENT ON TABLE a IS 'c'; COMMENT ON COLUMN a.n IS 'c';
        GRANT SELECT ON a TO PUBLIC; ALTER TABLE a OWNER TO CURRENT_USER;
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC""",
    "temporary": "CREATE TEMP TABLE a (n integer PRIMARY KEY); CREATE TEMP VIEW v AS SELECT n FROM a; DROP TABLE a CASCADE",
    "in one transaction": """BEGIN; CREATE TABLE a (n integer); SAVEPOINT s; DROP TABLE a; ROLLBACK TO s;
        ALTER TABLE a ADD m integer; COMMIT""",
    "in a block": "DO $$BEGIN CREATE TABLE a (n integer); EXECUTE 'DROP TABLE a'; CREATE TABLE a (m integer); END$$",
    "foreign table": """CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
        CREATE FOREIGN TABLE a (n integer) SERVER s; ALTER FOREIGN TABLE a ADD m integer; DROP SERVER s CASCADE""",
    "dropped type of a column": """CREATE TYPE y AS ENUM ('a'); CREATE TABLE a (y y, n integer); DROP TYPE y CASCADE""",
    "sequence by name": "CREATE TABLE a (id serial); ALTER SEQUENCE a_id_seq RENAME TO q",
}


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


@pytest.mark.parametrize(
    ("change", "severity"),
    [
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
    ],
)
def test_an_altered_table_gets_one_version_of_fitting_severity(conn, change, severity):
    conn.execute("CREATE TABLE t (a integer NOT NULL, b integer)")
    conn.execute(f"ALTER TABLE t {change}")
    assert conn.execute(HISTORY).fetchall()[1:] == [("ALTER", severity, "public.t")]


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
    assert conn.execute("SELECT version, old_version, new_version FROM pggit.objects AS o"
                        " JOIN pggit.history AS h ON h.object_id = o.id ORDER BY h.id").fetchall() == [
        (3, 1, 2), (3, 2, None), (3, 2, 3),
    ]  # fmt: skip
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
    assert [row[0] for row in conn.execute(RECORDED)][0] == "TABLE public.u"


def test_oids_that_a_restore_made_meaningless_mislead_nobody(conn, drift):
    conn.execute("CREATE TABLE a (n integer); CREATE TABLE b (m text)")
    conn.execute("""UPDATE pggit.objects AS o SET metadata = o.metadata || jsonb_build_object('oid',
        CASE o.object_name WHEN 'a' THEN 'b'::regclass ELSE 'a'::regclass END::oid::text)
        WHERE o.object_type = 'TABLE'""")
    conn.execute("ALTER TABLE a ADD c text; ALTER TABLE b ADD c text")
    assert not drift()
    assert {row[0] for row in conn.execute(HISTORY)} == {"CREATE", "ALTER"}


NAMES = [
    "plain", "Capital", "two words", "a.b", 'quo"te', "apo'strophe", "back\\slash", "per%cent %s %I",
    "(a|b)*[c]{1}^$?+", "dollar$1", "é日本🎉", "select", "user", "$$", "--", "x" * 63, "new\nline", " ",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_recorded_like_any(conn, scalar, drift, name):
    def run(statement, *names):
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names or (name,) * 9)))

    run("CREATE SCHEMA {}")
    run("CREATE TABLE {}.{} ({} integer PRIMARY KEY)")
    run("CREATE TABLE {}.other (n integer REFERENCES {}.{})")
    run("CREATE VIEW {}.view AS SELECT {} FROM {}.{}")
    run("CREATE FUNCTION {}.{}({} integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    run("CREATE INDEX ON {}.{} ({})")
    run("ALTER TABLE {}.{} ADD n integer")
    assert not drift()
    table = sql.Identifier(name).as_string(conn) if scalar(
        "SELECT quote_ident(%s) <> %s", name, name) else name
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
    conn.execute("CREATE TABLE public.t (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t")
    conn.execute(f"SET {setting}")
    conn.execute("""ALTER TABLE public.t ADD n integer; CREATE TABLE public.u (id integer REFERENCES public.t);
        CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'""")
    conn.execute("DROP VIEW public.v; ALTER TABLE public.t RENAME TO w; DROP FUNCTION public.f")
    conn.execute("RESET ALL")
    assert not drift()
