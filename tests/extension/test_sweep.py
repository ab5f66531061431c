"""A sweep puts a fault at each hit in turn and judges what the caller is left with."""

from __future__ import annotations

import psycopg
import pytest

from catalogue import fingerprint

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"


def sweep(conn, statement, sqlstates=("40001", "57014"), *, every_hit=False):
    return conn.execute(
        "SELECT hit, failpoint, sqlstate, outcome, seen_sqlstate, detail"
        "  FROM pggit_chaos.sweep(%s, %s, %s)",
        [statement, list(sqlstates), every_hit],
    ).fetchall()


def outcomes(rows, failpoint=None):
    return {(row[2], row[3]) for row in rows if failpoint in {None, row[1]}}


def make(conn, body, *, returns="text", name="f"):
    """Put a function into pgGit and hook it."""
    conn.execute(
        f"CREATE FUNCTION pggit.{name}() RETURNS {returns} LANGUAGE plpgsql AS $body${body}$body$"
    )
    conn.execute("SELECT pggit_chaos.install_hooks()")


def test_an_error_that_reaches_the_caller_has_surfaced(hooked):
    rows = sweep(hooked, COMMIT)
    assert {row[3] for row in rows} <= {"surfaced", "tolerated"}
    assert all(row[2] == row[4] for row in rows if row[3] == "surfaced")
    assert {row[2] for row in rows} == {"40001", "57014"}


def test_an_error_with_another_sqlstate_is_masked(hooked):
    make(
        hooked,
        "BEGIN RETURN pggit.commit_changes('main', 'm');"
        " EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'failed: %', SQLERRM; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()")
    assert outcomes(rows, "pggit.commits.insert.after") == {
        ("40001", "masked"),
        ("57014", "surfaced"),
    }
    masked = next(row for row in rows if row[3] == "masked")
    assert masked[4] == "P0001"
    assert masked[5].startswith("failed: ")


def test_a_retry_that_ends_like_an_undisturbed_run_has_tolerated_it(hooked):
    make(
        hooked,
        "BEGIN BEGIN INSERT INTO pggit.commits (hash, branch_id, message) VALUES ('h1', 1, 'm');"
        " EXCEPTION WHEN serialization_failure THEN"
        " PERFORM setval('pggit.commits_id_seq', currval('pggit.commits_id_seq') - 1);"
        " INSERT INTO pggit.commits (hash, branch_id, message) VALUES ('h1', 1, 'm'); END;"
        " RETURN 'done'; END",
    )
    hooked.execute("SELECT nextval('pggit.commits_id_seq')")
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    assert outcomes(rows, "pggit.commits.insert.after") == {("40001", "tolerated")}


def test_success_with_nothing_done_is_lost(hooked):
    make(
        hooked,
        "BEGIN BEGIN INSERT INTO pggit.commits (hash, branch_id, message) VALUES ('h1', 1, 'm');"
        " EXCEPTION WHEN OTHERS THEN NULL; END; RETURN 'done'; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    assert outcomes(rows, "pggit.commits.insert.before") == {("40001", "lost")}
    assert outcomes(rows, "pggit.commits.insert.commit") == {("40001", "surfaced")}


def test_an_answer_that_is_not_true_is_lost(hooked):
    make(
        hooked,
        "BEGIN RETURN length(pggit.generate_trinity_id()) > 9;"
        " EXCEPTION WHEN OTHERS THEN RETURN NULL; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    lost = next(row for row in rows if row[1] == "pggit.generate_trinity_id()")
    assert lost[3] == "lost"
    assert "answer" in lost[5]


def test_a_setting_of_pggits_that_was_not_set_is_lost(hooked):
    make(
        hooked,
        "BEGIN BEGIN PERFORM pggit.generate_trinity_id();"
        " PERFORM set_config('pggit.current_branch', 'elsewhere', false);"
        " EXCEPTION WHEN OTHERS THEN NULL; END; RETURN 'done'; END",
    )
    lost = next(
        row
        for row in sweep(hooked, "SELECT pggit.f()", ["40001"])
        if row[1] == "pggit.generate_trinity_id()"
    )
    assert lost[3] == "lost"
    assert lost[5] == "not as in an undisturbed run: setting pggit.current_branch"


def test_success_with_half_done_is_torn(hooked):
    make(
        hooked,
        "BEGIN INSERT INTO pggit.commits (hash, branch_id, message) VALUES ('h1', 1, 'm');"
        " BEGIN UPDATE pggit.branches SET head_commit_hash = 'h1' WHERE name = 'main';"
        " EXCEPTION WHEN OTHERS THEN NULL; END; RETURN 'done'; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    torn = next(row for row in rows if row[1] == "pggit.branches.update.before")
    assert torn[3] == "torn"
    assert "pggit.branches.head_commit_hash" in torn[5]


def test_a_write_to_a_table_that_an_undisturbed_run_leaves_alone_is_torn(hooked):
    hooked.execute("CREATE TABLE public.log (a text)")
    make(
        hooked,
        "BEGIN BEGIN PERFORM pggit.commit_changes('main', 'm');"
        " EXCEPTION WHEN OTHERS THEN INSERT INTO public.log VALUES ('failed'); END;"
        " RETURN 'done'; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    torn = next(row for row in rows if row[1] == "pggit.generate_trinity_id()")
    assert torn[3] == "torn"
    assert "public.log" in torn[5]


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        ("PERFORM pg_advisory_lock(4711)", "advisory lock 0 4711 in ExclusiveLock"),
        ("PERFORM pg_advisory_lock_shared(-1, -2)", "in ShareLock"),
        (
            "PERFORM setval('pggit.commits_id_seq', 2)",
            "sequence pggit.commits_id_seq went back to 2",
        ),
    ],
)
def test_what_outlives_the_error_has_leaked(hooked, leak, told):
    hooked.execute("SELECT setval('pggit.commits_id_seq', 100)")
    make(hooked, f"BEGIN {leak}; RETURN pggit.generate_trinity_id(); END")
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    leaked = next(row for row in rows if row[1] == "pggit.generate_trinity_id()")
    assert leaked[3] == "leaked"
    assert told in leaked[5]
    assert next(row for row in rows if row[1] == "pggit.f()")[3] == "surfaced"
    assert hooked.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    ).fetchone() == (0,)
    assert hooked.execute("SELECT last_value FROM pggit.commits_id_seq").fetchone() == (100,)


def test_a_lock_that_the_session_held_before_has_not_leaked(hooked):
    with hooked.transaction(force_rollback=True):
        hooked.execute("SELECT pg_advisory_xact_lock(7), pg_advisory_lock_shared(1, 2)")
        assert {row[3] for row in sweep(hooked, COMMIT)} == {"surfaced"}
        assert hooked.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid IN (2, 7)"
        ).fetchone() == (2,)


def test_a_fault_that_the_statement_no_longer_reaches_is_unreached(hooked):
    # The trace is the second run: the ones behind it take a shorter way.
    hooked.execute("CREATE SEQUENCE pggit_chaos.runs")
    make(
        hooked,
        "BEGIN IF nextval('pggit_chaos.runs') > 2 THEN RETURN 'short'; END IF;"
        " RETURN pggit.generate_trinity_id(); END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    assert [(row[1], row[3]) for row in rows] == [
        ("pggit.f()", "surfaced"),
        ("pggit.generate_trinity_id()", "unreached"),
    ]


def test_hits_with_one_stack_are_visited_once_and_counted(hooked):
    make(
        hooked,
        "BEGIN FOR i IN 1..20 LOOP PERFORM pggit.generate_trinity_id(); END LOOP; RETURN ''; END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    assert [row[1] for row in rows] == ["pggit.f()", "pggit.generate_trinity_id()"]
    assert rows[1][5] == "stands for 20 hits with this stack"
    assert len(sweep(hooked, "SELECT pggit.f()", ["40001"], every_hit=True)) == 21


def test_failpoints_can_be_chosen_and_the_hits_keep_their_numbers(hooked):
    statement = "SELECT pggit.commit_changes('main', 'a message')"
    everything = sweep(hooked, statement)
    query = "SELECT s.* FROM pggit_chaos.sweep(%s, failpoints => %s) AS s"
    chosen = hooked.execute(query, [statement, "pggit.commits.*"]).fetchall()
    assert chosen == [row for row in everything if row[1].startswith("pggit.commits.")] != []
    with pytest.raises(psycopg.errors.UndefinedObject):
        hooked.execute(query, [statement, "no_such_failpoint"])


def test_values_that_no_two_runs_share_are_not_held_against_a_run(hooked):
    hooked.execute("CREATE TABLE pggit.log (at timestamptz, id uuid, oid oid, n int)")
    make(
        hooked,
        "BEGIN BEGIN PERFORM pggit.generate_trinity_id(); EXCEPTION WHEN OTHERS THEN NULL; END;"
        " CREATE TABLE public.made (a int);"
        " INSERT INTO pggit.log"
        " VALUES (clock_timestamp(), gen_random_uuid(), 'public.made'::regclass, 1);"
        " RETURN gen_random_uuid(); END",
    )
    rows = sweep(hooked, "SELECT pggit.f()", ["40001"])
    assert outcomes(rows, "pggit.generate_trinity_id()") == {("40001", "tolerated")}


def test_a_sweep_leaves_the_database_as_it_was(hooked):
    hooked.execute("SELECT setval('pggit.commits_id_seq', 41)")
    before = fingerprint(hooked)
    sweep(hooked, COMMIT)
    sweep(hooked, "CREATE TABLE public.t (a int PRIMARY KEY)")
    after = fingerprint(hooked)
    assert after == before
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (0,)


def test_a_sweep_says_the_same_twice(hooked):
    assert sweep(hooked, COMMIT) == sweep(hooked, COMMIT)


def test_ddl_is_swept(hooked):
    rows = sweep(hooked, "CREATE TABLE public.t (a int PRIMARY KEY, b text)")
    assert {row[3] for row in rows} == {"surfaced"}
    assert {"ddl.CREATE TABLE.start", "pggit.history.insert.commit"} <= {row[1] for row in rows}


def test_several_statements_are_swept_as_one(hooked):
    rows = sweep(hooked, f"CREATE TABLE public.t (a int); {COMMIT}", ["40001"])
    assert {"ddl.CREATE TABLE.start", "pggit.commits.insert.after"} <= {row[1] for row in rows}


def test_condition_names_are_taken_for_sqlstates(hooked):
    rows = sweep(hooked, COMMIT, ["disk_full"])
    assert {row[2] for row in rows} == {"53100"}


@pytest.mark.parametrize("sqlstates", [[], ["nonsense"], ["4000"], [None], ["40001", "00000"]])
def test_sqlstates_that_are_none_are_refused(hooked, sqlstates):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        sweep(hooked, COMMIT, sqlstates)
    assert refusal.value.sqlstate in {"22004", "22023"}


def test_a_statement_that_fails_by_itself_is_refused(hooked):
    with pytest.raises(psycopg.DatabaseError, match="division by zero") as refusal:
        sweep(hooked, "SELECT 1/0")
    assert refusal.value.sqlstate == "PC007"


def test_a_real_cancellation_ends_the_sweep(hooked):
    hooked.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        sweep(hooked, "SELECT pg_sleep(10)")
    hooked.execute("RESET statement_timeout")
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (0,)


def test_real_pggit_masks_a_serialization_failure_behind_its_handler(real_pggit):
    conn = real_pggit
    conn.execute("SELECT pggit_chaos.install_hooks()")
    if conn.execute(
        "SELECT to_regprocedure('pggit.commit_changes(text,text,text)')"
    ).fetchone() == (None,):
        pytest.skip("not applicable: this pgGit has no commit_changes(text,text,text)")
    rows = sweep(conn, "SELECT pggit.commit_changes('main', 'm')")
    assert outcomes(rows, "pggit.commits.insert.before") == {
        ("40001", "masked"),
        ("57014", "surfaced"),
    }
    assert outcomes(rows, "pggit.commits.insert.after") == {
        ("40001", "masked"),
        ("57014", "surfaced"),
    }
    assert outcomes(rows, "pggit.commits.insert.commit") == {
        ("40001", "surfaced"),
        ("57014", "surfaced"),
    }
