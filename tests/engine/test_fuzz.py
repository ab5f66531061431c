"""Whatever a public function is given: it answers, or refuses as documented."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

# Standard codes that the documentation or PostgreSQL's own input functions give.
STANDARD = {
    "0A000",  # a statement that cannot run inside of a function
    "02000",  # no row to lock
    "22003",  # a number beyond its type
    "22004",  # NULL where it may not be
    "22007",  # no timestamp or interval
    "22008",  # a time beyond its type
    "22012",  # the SQL that was given divides by zero
    "22021",  # text that the encoding has not
    "22023",  # an argument that cannot be
    "22026",  # a bit string of another length
    "22P02",  # no value of its type
    "25001",  # a statement that cannot run inside of a transaction
    "26000",  # the SQL that was given executes what was not prepared
    "2201B",  # no regular expression
    "3F000",  # an unknown schema
    "42501",  # what even a superuser may not do
    "42601",  # malformed
    "42602",  # no name
    "42622",  # a name that is too long
    "42703",  # an unknown column
    "42704",  # an unknown object
    "42710",  # the SQL that was given makes what is there
    "42725",  # an ambiguous function
    "42804",  # a value of another type
    "42846",  # a value that cannot be cast
    "42883",  # an unknown function or operator
    "42P01",  # an unknown table
    "42P02",  # the SQL that was given has a parameter
    "54000",  # too large
    "54001",  # too deep
    "55P03",  # a lock that is not to be had
    "57014",  # it took longer than the test gives it
}

# What they let go of they let go of at once, whatever becomes of their transaction: one that
# takes longer than the test gives it has done so.
AT_ONCE = {"disarm", "disarm_all", "wake"}
CANCELLED = "57014"

FRAGMENTS = (
    "",
    "*",
    "**",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "''",
    "$1",
    "$$",
    "$function$",
    "%s%I%L",
    "--",
    "/*",
    ";",
    "SELECT 1",
    "SELECT pggit.commit_changes('main', 'fuzz')",
    "SELECT pggit.generate_trinity_id()",
    "CREATE TABLE public.fuzz (id integer)",
    "DROP SCHEMA pggit CASCADE",
    "DROP EXTENSION pggit_chaos",
    "COMMIT",
    "'); DROP TABLE pggit.commits; --",
    "pggit.commits",
    "pggit.commits.insert.before",
    "pggit.commits.insert.*",
    "pggit.commit_changes",
    "pggit.generate_trinity_id()",
    "ddl.drop",
    "pggit.branches WHERE",
    "pggit.branches WHERE id = 1",
    "pggit.branches WHERE id = 1); SELECT 1; --",
    "advisory 1",
    "advisory 99999999999999999999",
    "error",
    "error(40001)",
    "error(00000)",
    "error(nonsense)",
    "1%skip",
    "200%error",
    "2*off->1*error(40001)->off",
    "9999999999999999999999*error",
    "delay(1)",
    "notice(%)",
    "mutate({})",
    'mutate({"message": null})',
    'mutate({"id": "x"})',
    "mutate([1])",
    "skip(",
    "off->",
    "->off",
    "session",
    "database",
    "pid:1",
    "pid:99999999999",
    "role:postgres",
    "role:",
    "application:\n",
    "40001",
    "serialization_failure",
    "ACCESS SHARE",
    "UPDATE",
    "commit_parent_dangling",
    "commit_message_lost",
    "branch_head_dangling",
    "commit",
    "error",
    "warning",
    "{}",
    "[]",
    "null",
    "\u2028\u202e\U0001f4a5",
    "é" * 40,
    "x" * 3000,
    "(" * 500,
)

# A wait would be ended by its expiry only, and that is what statement_timeout is for.
LIMITS = "-c statement_timeout=500ms -c lock_timeout=100ms -c client_min_messages=error"

PUBLIC = """
SELECT p.proname, ARRAY(SELECT format_type(a.type, NULL)
                          FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, i) ORDER BY a.i)
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace
   AND p.proname !~ '^_'
   AND p.prokind = 'f'
 ORDER BY p.oid::regprocedure::text
"""
STATE = """
SELECT pggit_chaos.state_digest(),
       (SELECT array_agg(f ORDER BY f.fault_id) FROM pggit_chaos.fault AS f),
       (SELECT array_agg(c ORDER BY c.corruption_id) FROM pggit_chaos.corruption AS c),
       (SELECT array_agg(h ORDER BY h.object) FROM pggit_chaos.hooks_intact() AS h),
       (SELECT array_agg(n.nspname ORDER BY n.nspname) FROM pg_namespace AS n),
       (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace),
       pggit_chaos.is_enabled()
"""

texts = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=3).map("".join),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
)
integers = st.one_of(
    st.sampled_from((0, 1, -1, 2, 64, 2**31 - 1, 2**31, -(2**63), 2**63 - 1)),
    st.integers(-(2**63), 2**63 - 1),
)
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "name": texts,
    "bigint": integers,
    "integer": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
    "interval": st.one_of(
        st.sampled_from(
            ("0", "1 microsecond", "1 ms", "-1 day", "1 day", "2 days", "178000000 years")
        ),
        st.timedeltas(dt.timedelta(seconds=-1), dt.timedelta(milliseconds=50)).map(
            lambda value: f"{value.total_seconds():f} seconds"
        ),
    ),
    "text[]": st.lists(st.none() | texts, max_size=3),
    "name[]": st.lists(st.none() | texts, max_size=3),
}


@pytest.fixture
def fuzzed(cluster, database):
    with cluster.connect(database, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica; CREATE EXTENSION dblink")
        conn.execute("RESET session_replication_role")
        conn.execute("SELECT pggit.create_branch('fuzz')")
        conn.execute("SELECT pggit.commit_changes('fuzz', 'a message')")
        conn.execute("SELECT pggit.commit_changes('fuzz', 'another')")
        conn.execute("SELECT pggit_chaos.install_hooks()")
        conn.execute("SELECT pggit_chaos.arm('pggit.list_branches*', 'off')")
    with cluster.connect(database, autocommit=True, options=LIMITS) as conn:
        yield conn


def state(conn: psycopg.Connection[Any]) -> Any:
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")  # that is for what is tried
        return conn.execute(STATE).fetchone()


def put_back(conn: psycopg.Connection[Any]) -> None:
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        conn.execute("SELECT pggit_chaos.disarm_all()")
        conn.execute("SELECT pggit_chaos.release_lock(h.hold_id) FROM pggit_chaos.lock_hold AS h")
        conn.execute("SELECT pggit_chaos.arm('pggit.list_branches*', 'off')")


@pytest.mark.one_version
@pytest.mark.timeout(3600)
def test_every_function_answers_or_refuses_as_documented(fuzzed, effort):
    functions = fuzzed.execute(PUBLIC).fetchall()
    assert len({name for name, _ in functions}) >= 20
    assert {each for _, types in functions for each in types} <= set(TYPES)
    reached: set[str] = set()
    before = state(fuzzed)

    @settings(max_examples=effort.inputs)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        name, types = data.draw(st.sampled_from(functions))
        arguments = [
            data.draw(st.one_of(TYPES[each], TYPES[each], TYPES[each], st.none())) for each in types
        ]
        call = sql.SQL("SELECT * FROM pggit_chaos.{}({})").format(
            sql.Identifier(name),
            sql.SQL(", ").join(sql.SQL("%s::" + each) for each in types),
        )
        nonlocal before
        with fuzzed.transaction(force_rollback=True):
            try:
                with fuzzed.transaction():
                    fuzzed.execute(call, arguments)
                    fuzzed.execute("SET CONSTRAINTS ALL IMMEDIATE")
            except psycopg.Error as error:
                refusal, code = (name, arguments, repr(error)), error.sqlstate or ""
            else:
                refusal, code = None, ""
            if refusal is not None:
                assert code in STANDARD or code.startswith("PC"), refusal
                if code != CANCELLED or name not in AT_ONCE:
                    assert state(fuzzed) == before, refusal
        reached.add(code or name)
        # What holds at once, whatever becomes of the transaction, is put back by hand.
        if name in {"disarm", "disarm_all", "wake", "hold_lock", "sweep", "trace"}:
            put_back(fuzzed)
            before = state(fuzzed)

    check()
    # The inputs are worth something: most functions were reached, in success and in failure.
    assert {"22004", "22023", "42704"} <= reached
    assert len(reached & {name for name, _ in functions}) >= len(functions) // 2
