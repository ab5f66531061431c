"""A trace lists the failpoints that a statement passes, and leaves nothing behind."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import fingerprint

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"


def trace(conn, statement):
    return conn.execute(
        "SELECT hit, failpoint, stack FROM pggit_chaos.trace(%s)", [statement]
    ).fetchall()


def test_failpoints_come_in_the_order_in_which_they_are_passed(hooked):
    hits = trace(hooked, COMMIT)
    assert [hit for hit, _, _ in hits] == list(range(1, len(hits) + 1))
    names = [failpoint for _, failpoint, _ in hits]
    assert names[0] == "pggit.commit_changes(text,text,text)"
    assert names.index("pggit.commits.insert.before") < names.index("pggit.commits.insert.after")
    assert names[-1].endswith(".commit")
    assert "pggit.generate_trinity_id()" in names


def test_the_stack_is_pggits_own_innermost_first(hooked):
    stacks = {failpoint: stack for _, failpoint, stack in trace(hooked, COMMIT)}
    assert stacks["pggit.commit_changes(text,text,text)"].startswith(
        "PL/pgSQL function pggit.commit_changes(text,text,text) line 1 at IF"
    )
    inner, outer = stacks["pggit.generate_trinity_id()"].splitlines()[:2]
    assert inner.startswith("PL/pgSQL function pggit.generate_trinity_id() line 1 at IF")
    assert outer.startswith("PL/pgSQL function pggit.commit_changes(text,text,text) line ")
    assert not any("pggit_chaos" in stack for stack in stacks.values())


def test_a_trace_leaves_nothing_behind(hooked):
    before = fingerprint(hooked)
    trace(hooked, COMMIT)
    assert fingerprint(hooked) == before
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (0,)
    assert hooked.execute(
        "SELECT count(*) FROM pg_prepared_statements WHERE name ~ 'hit'"
    ).fetchone() == (0,)


def test_hits_in_a_block_that_pggit_rolls_back_itself_are_listed(hooked):
    hooked.execute("""
        CREATE FUNCTION pggit.swallow() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pggit.generate_trinity_id();
            RAISE EXCEPTION 'no';
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END $$;
        SELECT pggit_chaos.install_hooks();
    """)
    assert [failpoint for _, failpoint, _ in trace(hooked, "SELECT pggit.swallow()")] == [
        "pggit.swallow()",
        "pggit.generate_trinity_id()",
    ]


def test_ddl_is_traced(hooked):
    names = [failpoint for _, failpoint, _ in trace(hooked, "CREATE TABLE public.t (a int)")]
    assert names[0] == "ddl.CREATE TABLE.start"
    assert "pggit.objects.insert.before" in names
    assert "ddl.CREATE TABLE.end" in names


def test_the_statement_runs_under_the_callers_search_path(hooked):
    hooked.execute("SET search_path = pggit, public")
    assert trace(hooked, "SELECT generate_trinity_id()")[0][1] == "pggit.generate_trinity_id()"


def test_a_statement_that_passes_no_failpoint_gives_no_row(hooked):
    assert trace(hooked, "SELECT 1") == []


@pytest.mark.parametrize("statement", ["SELECT 1/0", "SELEKT", "SELECT pggit.nothing()"])
def test_a_statement_that_fails_by_itself_is_refused(hooked, statement):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        trace(hooked, statement)
    assert refusal.value.sqlstate == "PC007"
    assert trace(hooked, "SELECT 1") == []


def test_null_is_refused(hooked):
    with pytest.raises(psycopg.errors.NullValueNotAllowed):
        trace(hooked, None)


def test_tracing_without_hooks_names_the_statement_that_installs_them(conn):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        trace(conn, COMMIT)
    assert refusal.value.sqlstate == "PC003"
    conn.execute(refusal.value.diag.message_hint)
    assert trace(conn, COMMIT)
