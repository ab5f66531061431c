"""An ordinary role can do nothing with the extension, and notices nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from catalogue import fingerprint

COMMIT = "SELECT pggit.commit_changes('main', 'a message') IS NOT NULL"
FORBIDDEN = (errors.InsufficientPrivilege,)
HOSTILE = (
    "'); DROP TABLE pggit.commits; --",
    '"); DROP TABLE pggit.commits; --',
    "$function$; DROP TABLE pggit.commits; --",
    "\\'; DROP TABLE pggit.commits; --",
    "%I %s %L",
    "-- \u2019'); DROP TABLE pggit.commits",
    "x\n; DROP TABLE pggit.commits",
)

# What the hit path is granted for, and no more; the reasons stand beside the grants.
GRANTED = {
    "hit(text)",
    "_armed()",
    "_armed_rows()",
    "_armed(text)",
    "_bits(text)",
    "_covered()",
    "_hit_armed(text)",
    "_pass(text)",
}

READ_BY_THE_HIT_PATH = {
    "SELECT last_value FROM pggit_chaos._shared_failpoints",
    "SELECT last_value FROM pggit_chaos._shared_rows",
    "SELECT last_value FROM pggit_chaos._shared_scopes",
}

# Everything of ours that can be called, with a NULL for each argument.
CALLS = """
SELECT p.oid::regprocedure::text,
       format('SELECT %s(%s)', p.oid::regproc,
              (SELECT string_agg('NULL::' || CASE a.type WHEN 'anyelement'::regtype THEN 'text'
                                                   ELSE format_type(a.type, NULL) END, ', ')
                 FROM unnest(p.proargtypes) AS a(type)))
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace
   AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
   -- The planner makes nothing of a strict one, before it asks for the privilege.
   AND NOT p.proisstrict
"""
EXECUTABLE = """
SELECT replace(p.oid::regprocedure::text, 'pggit_chaos.', '')
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace
   AND has_function_privilege('chaos_nobody', p.oid, 'EXECUTE')
"""
RELATIONS = """
SELECT c.oid::regclass::text, c.relkind
  FROM pg_class AS c
 WHERE c.relnamespace = 'pggit_chaos'::regnamespace
   AND c.relkind IN ('r', 'v', 'm', 'S')
"""


@pytest.fixture
def user(cluster, database, hooked):
    """A connection of a role that may do what everybody may."""
    hooked.execute("CREATE ROLE chaos_nobody LOGIN")
    with cluster.connect(database, user="chaos_nobody", autocommit=True) as connection:
        yield connection
    hooked.execute("DROP OWNED BY chaos_nobody CASCADE")
    hooked.execute("DROP ROLE chaos_nobody")


@contextmanager
def unchanged(conn: psycopg.Connection[Any]) -> Iterator[None]:
    query = "SELECT pggit_chaos.state_digest(), (SELECT array_agg(f) FROM pggit_chaos._fault AS f)"
    before = conn.execute(query).fetchone()
    yield
    assert conn.execute(query).fetchone() == before


def test_no_function_but_the_hit_path_is_for_everybody(hooked, user):
    calls = hooked.execute(CALLS).fetchall()
    assert len(calls) > 100
    allowed = set()
    with unchanged(hooked):
        for function, call in calls:
            try:
                user.execute(call)
            except errors.InsufficientPrivilege as error:
                assert "permission denied for function" in str(error), function  # noqa: PT017 four do not
            else:
                allowed.add(function.removeprefix("pggit_chaos."))
    assert allowed == GRANTED
    assert {name for (name,) in hooked.execute(EXECUTABLE)} == GRANTED


def test_no_table_view_or_sequence_is_for_everybody(hooked, user):
    relations = hooked.execute(RELATIONS).fetchall()
    assert {kind for _, kind in relations} == {"r", "v", "S"}
    statements = {
        "r": ["SELECT FROM {}", "DELETE FROM {}", "TRUNCATE {}"],
        "v": ["SELECT FROM {}"],
        "S": ["SELECT last_value FROM {}", "SELECT nextval('{}')", "SELECT setval('{}', 1)"],
    }
    for relation, kind in relations:
        for statement in statements[kind]:
            if statement.format(relation) in READ_BY_THE_HIT_PATH:
                continue
            with pytest.raises(FORBIDDEN):
                user.execute(statement.format(relation))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION pggit_chaos.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE pggit_chaos.mine (a int)",
        "CREATE OR REPLACE FUNCTION pggit_chaos._sealed_faults() RETURNS bytea"
        " LANGUAGE sql RETURN NULL",
        "CREATE TEMP TABLE t (a int); CREATE TRIGGER t BEFORE INSERT ON t"
        " FOR EACH ROW EXECUTE FUNCTION pggit_chaos._before_write_hook('pggit.commits')",
        "CREATE EVENT TRIGGER mine ON sql_drop EXECUTE FUNCTION pggit_chaos._ddl_hook()",
        "ALTER TABLE pggit.commits DISABLE TRIGGER zz_pggit_chaos_before",
        "ALTER DATABASE {database} SET pggit_chaos.enabled = on",
        "SET session_replication_role = replica",
    ],
)
def test_hooks_are_nothing_to_build_on(hooked, user, database, statement):
    with unchanged(hooked), pytest.raises(FORBIDDEN):
        user.execute(statement.format(database=database))


USE = (
    COMMIT,
    "SELECT pggit.create_branch('made/by/user') > 0",
    "SELECT count(*) FROM pggit.list_branches()",
    "SELECT pggit.delete_branch_simple('made/by/user')",
    "SELECT pggit.generate_trinity_id() IS NOT NULL",
    "SELECT pggit.delete_branch_simple('main')",
    "SELECT pggit.create_branch('made/by/user') IS NULL",
    "INSERT INTO pggit.commits (hash) VALUES ('x')",
    "CREATE TEMP TABLE of_user (a integer)",
    "DROP TABLE of_user",
    "CREATE SCHEMA of_user",
    "DROP OWNED BY CURRENT_USER",
)


def used(conn):
    """What an ordinary role comes to when it uses pgGit."""
    outcomes = []
    for statement in USE:
        with conn.transaction(force_rollback=True):
            try:
                with conn.transaction():
                    cursor = conn.execute(statement)
                    outcomes.append(cursor.fetchall() if cursor.description else "done")
            except psycopg.Error as error:
                outcomes.append(error.sqlstate)
    return outcomes


@pytest.mark.parametrize(
    "scope", [None, "session", "role:pg_monitor", "application:somebody else", "pid", "off"]
)
def test_an_ordinary_role_uses_pggit_as_if_nothing_was_there(conn, cluster, database, scope):
    conn.execute("CREATE ROLE chaos_nobody LOGIN")
    conn.execute("GRANT CREATE ON DATABASE " + database + " TO chaos_nobody")
    try:
        with cluster.connect(database, user="chaos_nobody", autocommit=True) as user:
            conn.execute("DROP EXTENSION pggit_chaos")
            plain = used(user)
            conn.execute("CREATE EXTENSION pggit_chaos")
            assert used(user) == plain
            conn.execute("SELECT pggit_chaos.install_hooks()")
            if scope is not None:
                term = "off" if scope == "off" else "error"
                scope = {"off": "database", "pid": f"pid:{conn.info.backend_pid}"}.get(scope, scope)
                conn.execute("SELECT pggit_chaos.arm('*', %s, %s)", [term, scope])
            assert used(user) == plain
    finally:
        conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")
        conn.execute("DROP OWNED BY chaos_nobody CASCADE")
        conn.execute("DROP ROLE chaos_nobody")


def test_the_setting_of_a_session_strikes_nobody_elses_fault(hooked, user):
    hooked.execute("SELECT pggit_chaos.arm('*', 'error')")
    user.execute("SET pggit_chaos.armed = 'on'")
    assert used(user)[0] == [(True,)]
    # A process id is used again: the fault of a session that is gone.
    hooked.execute(
        "UPDATE pggit_chaos._fault SET pid = %s, backend_start = '2000-01-01'",
        [user.info.backend_pid],
    )
    assert used(user)[0] == [(True,)]


@pytest.mark.parametrize("setting", ["pggit_chaos.enabled", "pggit_chaos.disposable"])
def test_no_setting_of_a_session_opts_in(hooked, user, database, setting):
    hooked.execute(f"ALTER DATABASE {database} RESET pggit_chaos.enabled")
    for conn in (hooked, user):
        conn.execute(f"SET {setting} = on")
    assert hooked.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)
    with pytest.raises(psycopg.DatabaseError) as refusal:
        hooked.execute("SELECT pggit_chaos.arm('*', 'crash')")
    assert refusal.value.sqlstate == "PC001"
    with pytest.raises(FORBIDDEN):
        user.execute("SELECT pggit_chaos.arm('*')")


def test_a_shadowed_name_is_never_called(hooked, user, cluster, database):
    """Everything that the hit path could take by mistake, first on the search_path."""
    hooked.execute(f"GRANT CREATE ON DATABASE {database} TO chaos_nobody")
    user.execute("""
        CREATE SCHEMA shadow;
        CREATE TABLE shadow.called (name text);
        GRANT ALL ON SCHEMA shadow TO PUBLIC;
        GRANT ALL ON shadow.called TO PUBLIC;
    """)
    shadows = hooked.execute("""
        SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid)
          FROM pg_proc AS p
         WHERE p.pronamespace = 'pggit_chaos'::regnamespace
           AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
           AND p.proname IN ('hit', '_armed', '_bits', '_covered', '_hit_armed', '_pass',
                             '_strike', '_armed_at', '_shared_faults', '_can_strike')
        UNION ALL
        SELECT * FROM (VALUES
            ('current_setting', 'text, boolean', 'text'), ('concat_ws', 'text, text', 'text'),
            ('format', 'text, text', 'text'), ('lower', 'text', 'text'),
            ('nextval', 'regclass', 'bigint'), ('pg_backend_pid', '', 'integer'),
            ('clock_timestamp', '', 'timestamptz'), ('set_config', 'text, text, boolean', 'text'),
            ('jsonb_populate_record', 'anyelement, jsonb', 'anyelement'),
            ('texteq', 'text, text', 'boolean'), ('pg_sequence_last_value', 'regclass', 'bigint'),
            ('jsonb_exists', 'jsonb, text', 'boolean'), ('int8gt', 'bigint, integer', 'boolean'),
            ('jsonb_object_field', 'jsonb, text', 'jsonb')) AS v
    """).fetchall()
    for name, arguments, result in shadows:
        user.execute(
            sql.SQL(
                "CREATE FUNCTION shadow.{}({}) RETURNS {} LANGUAGE plpgsql AS $x$ BEGIN"
                " INSERT INTO shadow.called VALUES ({}); RETURN {}; END $x$"
            ).format(
                sql.Identifier(name),
                sql.SQL(arguments),
                sql.SQL(result.replace("SETOF ", "")),
                sql.Literal(name),
                sql.SQL("NULL"),
            )
        )
    user.execute("""
        CREATE OPERATOR shadow.= (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.texteq);
        CREATE OPERATOR shadow.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.texteq);
        CREATE OPERATOR shadow.? (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = shadow.jsonb_exists);
        CREATE OPERATOR shadow.> (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = shadow.int8gt);
        CREATE OPERATOR shadow.-> (
            LEFTARG = jsonb, RIGHTARG = text, FUNCTION = shadow.jsonb_object_field);
    """)
    path = "-c search_path=shadow,pg_catalog,public"
    for term, scope in (("off", "database"), ("notice(told)", "role:chaos_nobody")):
        hooked.execute("SELECT pggit_chaos.arm('*', %s, %s)", [term, scope])
    with cluster.connect(database, user="chaos_nobody", autocommit=True, options=path) as one:
        one.execute("SELECT pggit.commit_changes('main'::pg_catalog.text, 'm'::pg_catalog.text)")
        one.execute("CREATE TEMP TABLE t (a integer)")
    hits = hooked.execute("SELECT min(hits) FROM pggit_chaos.fault").fetchone()[0]
    assert hits > 5
    assert hooked.execute("SELECT name FROM shadow.called").fetchall() == []
    # The owner, too, may have it on his path while he arms, wakes, sweeps and cleans.
    with cluster.connect(database, autocommit=True, options=path) as owner:
        for call in (
            "arm('*', 'off')",
            "wake('*')",
            "disarm_all()",
            "sweep('SELECT pggit.generate_trinity_id()')",
            "drill_all('commit')",
            "fsck()",
            "state_digest()",
            "disarm_all(true)",
        ):
            owner.execute(f"SELECT pggit_chaos.{call}")
    assert hooked.execute("SELECT name FROM shadow.called").fetchall() == []


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_runs_as_sql(hooked, text):
    """As a failpoint, a term, a scope, a lock, a branch, a function and a table of pgGit."""
    name = text.replace("\n", " ")[:60]
    hooked.execute(
        sql.SQL("""
            CREATE TABLE pggit.{} (id integer);
            CREATE FUNCTION pggit.{}() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        """).format(sql.Identifier(name), sql.Identifier(name))
    )
    hooked.execute("SELECT pggit_chaos.install_hooks()")
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.hooks_intact()").fetchone() == (0,)
    before = fingerprint(hooked)
    for query, arguments in (
        ("arm(%s)", [text]),
        ("arm('*', %s)", [text]),
        ("arm('*', 'error', %s)", [text]),
        ("arm('*', 'error', 'role:' || %s)", [text]),
        ("wake(%s)", [text]),
        ("wait_triggered(%s)", [text]),
        ("hold_lock(%s)", [text]),
        ("hold_lock('pggit.commits', %s)", [text]),
        ("corrupt(%s)", [text]),
        ("fsck(ARRAY[%s])", [text]),
        ("install_hooks(ARRAY[%s]::name[])", [text]),
        ("sweep('SELECT 1', ARRAY[%s])", [text]),
    ):
        with pytest.raises(psycopg.DatabaseError) as refusal:
            hooked.execute(f"SELECT * FROM pggit_chaos.{query}", arguments)
        assert refusal.value.sqlstate != "XX000"
    told = []
    hooked.add_notice_handler(lambda notice: told.append(notice.message_primary))
    failpoint = hooked.execute(
        "SELECT failpoint FROM pggit_chaos.failpoint WHERE kind = 'function' AND object ~ 'DROP|%'"
    ).fetchone()
    for scope in ("session", "database", f"application:{text}"):
        hooked.execute("SELECT pggit_chaos.arm('*', 'notice', %s)", [scope])
        if failpoint is not None:
            hooked.execute("SELECT pggit_chaos.arm(%s, 'notice', %s)", [failpoint[0], scope])
    hooked.execute("SELECT set_config('application_name', %s, false)", [text])
    with hooked.transaction(force_rollback=True):
        hooked.execute(sql.SQL("INSERT INTO pggit.{} VALUES (1)").format(sql.Identifier(name)))
        hooked.execute(sql.SQL("SELECT pggit.{}()").format(sql.Identifier(name)))
    assert told
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    assert fingerprint(hooked) == before
