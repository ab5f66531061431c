"""Hooks go in without touching a line of pgGit, and come out without a trace."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import fingerprint, restored


def install(conn):
    rows = conn.execute("SELECT kind, installed, skipped FROM pggit_chaos.install_hooks()")
    return {kind: (installed, skipped) for kind, installed, skipped in rows.fetchall()}


def uninstall(conn):
    rows = conn.execute("SELECT kind, removed FROM pggit_chaos.uninstall_hooks()")
    return dict(rows.fetchall())


def problems(conn):
    return conn.execute("SELECT object, problem FROM pggit_chaos.hooks_intact()").fetchall()


def make(conn, text):
    """Create a function in pgGit's schema."""
    conn.execute(text)


def count(conn, query):
    return conn.execute(query).fetchone()[0]


def test_every_plpgsql_function_and_every_table_is_hooked(conn):
    functions = count(
        conn,
        "SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
        " WHERE p.pronamespace = 'pggit'::regnamespace AND l.lanname = 'plpgsql'",
    )
    tables = count(
        conn,
        "SELECT count(*) FROM pg_class"
        " WHERE relnamespace = 'pggit'::regnamespace AND relkind = 'r'",
    )
    installed = install(conn)
    assert installed["function"][0] == functions > 10
    assert installed["table"] == installed["commit"] == (tables, 0)
    assert installed["ddl"] == (3, 0)
    assert problems(conn) == []


def test_uninstalling_leaves_the_catalogue_as_it_was(conn):
    before = fingerprint(conn)
    installed = install(conn)
    assert fingerprint(conn) != before
    removed = uninstall(conn)
    assert removed == {kind: there for kind, (there, _) in installed.items()}
    assert fingerprint(conn) == before


def test_uninstalling_twice_removes_nothing_the_second_time(conn):
    install(conn)
    uninstall(conn)
    assert set(uninstall(conn).values()) == {0}


def test_installing_twice_hooks_nothing_twice(conn):
    first = install(conn)
    before = fingerprint(conn)
    assert install(conn) == first
    assert fingerprint(conn) == before


def test_pggit_records_neither_the_hooks_nor_their_removal(conn):
    conn.execute("CREATE TABLE public.t (a int)")
    before = conn.execute("SELECT pggit_chaos.state_digest()").fetchone()
    install(conn)
    assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == before
    uninstall(conn)
    assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == before


def test_oid_owner_grants_comment_and_settings_of_a_function_stay(conn):
    make(
        conn,
        "CREATE FUNCTION pggit.f(a text DEFAULT 'x''y', VARIADIC b int[] DEFAULT '{}')"
        " RETURNS text LANGUAGE plpgsql STABLE STRICT COST 7 PARALLEL RESTRICTED"
        " SET search_path = 'pggit', \"odd name\" SET work_mem = '4MB' AS 'BEGIN RETURN a; END'",
    )
    conn.execute("COMMENT ON FUNCTION pggit.f IS 'mine'")
    conn.execute("GRANT EXECUTE ON FUNCTION pggit.f TO pg_monitor")
    query = """
        SELECT to_jsonb(p) - '{prosrc,proargdefaults}'::text[], obj_description(p.oid),
               pg_get_function_arguments(p.oid)
          FROM pg_proc AS p WHERE p.oid = 'pggit.f'::regproc"""
    before = conn.execute(query).fetchone()
    install(conn)
    assert conn.execute(query).fetchone() == before
    assert conn.execute("SELECT pggit.f()").fetchone() == ("x'y",)


BODIES = {
    "no semicolon behind the last END": "BEGIN RETURN 1; END",
    "a semicolon behind the last END": "BEGIN RETURN 1; END;",
    "a comment behind the last END": "BEGIN RETURN 1; END -- END;",
    "a block comment behind the last END": "BEGIN RETURN 1; END; /* END */ ",
    "a label": "\n<<outer>> DECLARE x int := 1; BEGIN RETURN outer.x; END outer;\n",
    "an option": "#variable_conflict use_column\nBEGIN RETURN 1; END",
    "two options": " #variable_conflict error\n#print_strict_params on\nBEGIN RETURN 1; END;",
    "dollars, quotes and backslashes": r"BEGIN RETURN length($q$'\''$q$) - 3; /* $function$ */ END",
    "an exception handler": "BEGIN RETURN 1/0; EXCEPTION WHEN division_by_zero THEN RETURN 1; END",
    "its own name as a label": "DECLARE x int; BEGIN f.a := 1; RETURN f.a; END",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_any_body_is_hooked_works_and_comes_back(conn, body):
    conn.execute(
        psycopg.sql.SQL(
            "CREATE FUNCTION pggit.f(a int DEFAULT 0) RETURNS int LANGUAGE plpgsql AS {}"
        ).format(body)
    )
    install(conn)
    source = conn.execute("SELECT prosrc FROM pg_proc WHERE proname = 'f'").fetchone()[0]
    assert "pggit_chaos.hit('pggit.f(integer)')" in source
    assert conn.execute("SELECT pggit.f()").fetchone() == (1,)
    uninstall(conn)
    assert conn.execute("SELECT prosrc FROM pg_proc WHERE proname = 'f'").fetchone() == (body,)


def test_names_with_quotes_are_hooked_and_come_back(conn):
    conn.execute(r"""
        CREATE FUNCTION pggit."it's a ""\odd"") THEN END IF; name"(a text) RETURNS text
        LANGUAGE plpgsql AS 'BEGIN RETURN a; END';
        CREATE TABLE pggit."it's ""a"" table" (a int);
    """)
    before = fingerprint(conn)
    install(conn)
    assert problems(conn) == []
    call = r"""SELECT pggit."it's a ""\odd"") THEN END IF; name"('x')"""
    assert conn.execute(call).fetchone() == ("x",)
    names = conn.execute(
        "SELECT failpoint FROM pggit_chaos.failpoint WHERE failpoint ~ '''' ORDER BY 1"
    ).fetchall()
    assert (r"""pggit."it's a ""\odd"") THEN END IF; name"(text)""",) in names
    assert ("""pggit."it's ""a"" table".insert.before""",) in names
    for (name,) in names:
        conn.execute("SELECT pggit_chaos.arm(%s)", [name])
    with pytest.raises(psycopg.DatabaseError) as error:
        conn.execute(call)
    assert error.value.sqlstate == "PC100"
    uninstall(conn)
    assert fingerprint(conn) == before


def test_found_and_row_count_survive_a_hook(conn):
    make(
        conn,
        """
        CREATE FUNCTION pggit.inner() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        CREATE FUNCTION pggit.outer() RETURNS text LANGUAGE plpgsql AS $$
        DECLARE n int; x text;
        BEGIN
            UPDATE pggit.branches SET name = name WHERE name = 'main';
            x := pggit.inner();
            GET DIAGNOSTICS n = ROW_COUNT;
            RETURN FOUND || ' ' || n;
        END $$""",
    )
    install(conn)
    assert conn.execute("SELECT pggit.outer()").fetchone() == ("true 1",)


def test_line_numbers_in_error_contexts_stay_true(conn):
    make(
        conn,
        "CREATE FUNCTION pggit.f() RETURNS void LANGUAGE plpgsql AS $$\nDECLARE x int;\n"
        "BEGIN\n    x := 1;\n    x := 1 / 0;\nEND\n$$",
    )
    install(conn)
    with pytest.raises(psycopg.errors.DivisionByZero) as error:
        conn.execute("SELECT pggit.f()")
    assert "function pggit.f() line 5 at" in error.value.diag.context


def test_a_procedure_that_commits_can_be_hooked(conn):
    make(
        conn,
        "CREATE PROCEDURE pggit.p() LANGUAGE plpgsql AS"
        " 'BEGIN CREATE TABLE public.a(); COMMIT; CREATE TABLE public.b(); ROLLBACK; END'",
    )
    install(conn)
    conn.execute("CALL pggit.p()")
    assert conn.execute(
        "SELECT to_regclass('public.a') IS NULL, to_regclass('public.b')"
    ).fetchone() == (
        False,
        None,
    )


def test_what_cannot_be_hooked_is_listed_with_its_reason(conn):
    make(conn, "CREATE FUNCTION pggit.plain() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    conn.execute("SET check_function_bodies = off")
    make(conn, "CREATE FUNCTION pggit.broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN'")
    conn.execute("RESET check_function_bodies")
    installed = install(conn)
    skipped = dict(conn.execute("SELECT object, reason FROM pggit_chaos.skipped_hook").fetchall())
    assert skipped["pggit.plain()"] == 'it is written in language "sql"'
    assert "syntax error" in skipped["pggit.broken()"]
    assert installed["function"][1] == len(skipped)


def test_a_function_replaced_since_is_seen_mended_and_never_overwritten(conn):
    make(conn, "CREATE FUNCTION pggit.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
    install(conn)
    newer = "BEGIN RETURN 2; END"
    make(conn, f"CREATE OR REPLACE FUNCTION pggit.f() RETURNS int LANGUAGE plpgsql AS '{newer}'")
    assert problems(conn) == [("pggit.f()", "it has no function hook")]
    install(conn)
    assert problems(conn) == []
    make(conn, f"CREATE OR REPLACE FUNCTION pggit.f() RETURNS int LANGUAGE plpgsql AS '{newer}'")
    uninstall(conn)
    assert conn.execute("SELECT prosrc FROM pg_proc WHERE proname = 'f'").fetchone() == (newer,)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            "ALTER FUNCTION pggit.generate_trinity_id() RENAME TO renamed",
            'its hook names "pggit.generate_trinity_id()"',
        ),
        ("ALTER TABLE pggit.history RENAME TO renamed", 'its hook names "pggit.history"'),
        (
            "ALTER TABLE pggit.commits DISABLE TRIGGER zz_pggit_chaos_before",
            "its table hook is disabled or out of date",
        ),
        (
            "DROP TRIGGER zz_pggit_chaos_after ON pggit.commits",
            "its table hook is disabled or out of date",
        ),
        ("DROP TRIGGER zz_pggit_chaos_commit ON pggit.commits", "it has no commit hook"),
        (
            "ALTER EVENT TRIGGER zz_pggit_chaos_sql_drop DISABLE",
            "its ddl hook is disabled or out of date",
        ),
        ("CREATE TABLE pggit.newer (a int)", "it has no table hook"),
    ],
)
def test_a_hook_that_is_out_of_order_is_seen_and_mended(conn, damage, problem):
    install(conn)
    conn.execute(damage)
    assert problem in [found for _, found in problems(conn)]
    install(conn)
    assert problems(conn) == []


def test_no_hooks_at_all_is_a_problem_of_its_own(conn, database):
    assert problems(conn) == [(database, "no hooks are installed")]


def test_hooks_come_out_of_a_transaction_that_has_written(conn):
    install(conn)
    with conn.transaction():
        conn.execute("SELECT pggit.commit_changes('main', 'm')")
        uninstall(conn)
    assert problems(conn) == [(conn.info.dbname, "no hooks are installed")]
    assert count(conn, "SELECT count(*) FROM pggit.commits") == 1


def test_hooks_go_with_the_transaction_that_installed_them(conn):
    before = fingerprint(conn)
    with conn.transaction(force_rollback=True):
        install(conn)
    assert fingerprint(conn) == before


def test_only_the_named_schemas_are_hooked(conn):
    conn.execute("CREATE SCHEMA mine; CREATE TABLE mine.t (a int)")
    conn.execute("SELECT pggit_chaos.install_hooks('{mine}')")
    assert conn.execute(
        "SELECT DISTINCT object FROM pggit_chaos.failpoint WHERE kind = 'table'"
    ).fetchall() == [("mine.t",)]


def test_a_schema_that_does_not_exist_is_an_error(conn):
    before = fingerprint(conn)
    with pytest.raises(psycopg.errors.InvalidSchemaName, match="nowhere"):
        conn.execute("SELECT pggit_chaos.install_hooks('{pggit,nowhere}')")
    assert fingerprint(conn) == before


def test_a_role_that_may_not_become_a_replica_is_told_what_to_ask_for(cluster, conn, database):
    with restored(conn, "chaos_ordinary") as role:
        conn.execute(f"GRANT ALL ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role}")
        conn.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
            conn.execute("SELECT pggit_chaos.install_hooks()")
        assert refusal.value.diag.message_hint == (
            f"Ask a superuser to run: GRANT SET ON PARAMETER session_replication_role TO {role};"
        )


def test_an_ordinary_users_calls_work_the_same_with_hooks(cluster, conn, database):
    install(conn)
    conn.execute("SELECT pggit_chaos.arm('pggit.commit_changes', scope => 'session')")
    with restored(conn, "chaos_ordinary") as role:
        with cluster.connect(database, autocommit=True) as other:
            other.execute(f"SET ROLE {role}")
            trinity_id = other.execute("SELECT pggit.commit_changes('main', 'mine')").fetchone()[0]
            other.execute("CREATE TEMP TABLE t (a int)")
        assert conn.execute(
            "SELECT message FROM pggit.commits WHERE hash = %s", [trinity_id]
        ).fetchone() == ("mine",)


def test_pggit_of_the_real_tags_is_hooked_whole_and_comes_back(real_pggit):
    conn = real_pggit
    before = fingerprint(conn)
    unhookable = count(
        conn,
        "SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
        " WHERE p.pronamespace::regnamespace::text ~ '^pggit' AND p.prokind IN ('f', 'p')"
        "   AND p.pronamespace <> 'pggit_chaos'::regnamespace AND l.lanname <> 'plpgsql'",
    )
    installed = install(conn)
    assert installed["function"][1] == unhookable
    assert installed["table"][1] == installed["commit"][1] == 0
    assert problems(conn) == []
    uninstall(conn)
    assert fingerprint(conn) == before
