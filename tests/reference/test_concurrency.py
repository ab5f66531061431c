"""What holds when many sessions do it at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

SESSIONS = 6
TIMES = 8


@pytest.fixture
def together(connect):
    """Run work in many sessions at once; return each one's result, or the error it met."""

    def run(
        work: Callable[[psycopg.Connection[Any], int], Any], sessions: int = SESSIONS
    ) -> list[Any]:
        barrier = Barrier(sessions)

        def one(number: int) -> Any:
            conn = connect()
            barrier.wait()
            try:
                return work(conn, number)
            except psycopg.Error as error:
                return error

        with ThreadPoolExecutor(sessions) as pool:
            return list(pool.map(one, range(sessions)))

    return run


@pytest.fixture
def background(connect):
    """Run a statement in a session of its own; return when it waits for a lock, or is done."""
    pool = ThreadPoolExecutor()
    watcher = connect()

    def run(statement: str) -> Future[Any]:
        conn = connect()
        future = pool.submit(lambda: conn.execute(statement).fetchall())
        while not future.done():
            waiting = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
            if watcher.execute(waiting, (conn.info.backend_pid,)).fetchone() == (True,):
                break
        return future

    yield run
    pool.shutdown()


def errors(results):
    return [result for result in results if isinstance(result, psycopg.Error)]


def repeat(statement):
    def work(conn, number):
        return [conn.execute(statement, (number, i)).fetchone()[0] for i in range(TIMES)]

    return work


def test_commits_to_one_branch_make_one_line(scalar, together, broken_promises):
    results = together(repeat("SELECT pggit.commit_changes('main', format('%%s.%%s', %s, %s))"))
    assert not errors(results)
    assert len({commit for commits in results for commit in commits}) == SESSIONS * TIMES
    assert scalar("SELECT count(*) FROM pggit.commits WHERE parent_commit_hash IS NULL") == 1
    assert scalar("SELECT count(DISTINCT message) FROM pggit.commits") == SESSIONS * TIMES
    assert not broken_promises()


def test_first_commits_to_a_new_branch_make_it_once(scalar, together, broken_promises):
    results = together(
        lambda conn, number: conn.execute("SELECT pggit.commit_changes('new', 'm')").fetchone()
    )
    assert not errors(results)
    assert scalar("SELECT count(*) FROM pggit.branches") == 2
    assert scalar("SELECT count(*) FROM pggit.commits") == SESSIONS
    assert not broken_promises()


def test_one_of_many_makes_a_branch_and_the_others_are_told(scalar, together, broken_promises):
    results = together(lambda conn, number: conn.execute("SELECT pggit.create_branch('new')"))
    assert [error.sqlstate for error in errors(results)] == ["23505"] * (SESSIONS - 1)
    assert scalar("SELECT count(*) FROM pggit.branches") == 2
    assert not broken_promises()


def test_branches_are_made_side_by_side(conn, scalar, together, broken_promises):
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    assert not errors(together(repeat("SELECT pggit.create_branch(format('b/%%s.%%s', %s, %s))")))
    assert scalar("SELECT count(*) FROM pggit.branches") == SESSIONS * TIMES + 1
    assert scalar("SELECT count(*) FROM pggit.objects") == (SESSIONS * TIMES + 1) * 3
    assert not broken_promises()


def test_versions_of_one_object_have_no_gap(conn, scalar, together, broken_promises):
    conn.execute("CREATE TABLE t (id integer)")
    results = together(
        repeat("""SELECT pggit.increment_version(o.id, 'ALTER'::pggit.change_type,
                                             'PATCH'::pggit.change_severity,
                                             format('%%s.%%s', %s, %s))
                    FROM pggit.objects AS o WHERE o.full_name = 'public.t'""")
    )
    assert not errors(results)
    assert sorted(version for versions in results for version in versions) == list(
        range(3, SESSIONS * TIMES + 3)
    )
    assert not broken_promises()


def test_an_object_is_tracked_once(scalar, together, broken_promises):
    results = together(
        lambda conn, number: conn.execute(
            "SELECT pggit.ensure_object('TABLE', 'public', 'x')"
        ).fetchone()
    )
    assert len(set(results)) == 1
    assert scalar("SELECT count(*) FROM pggit.history") == 1
    assert not broken_promises()


def test_ids_are_unique_and_ascend(scalar, together):
    results = together(repeat("SELECT pggit.generate_trinity_id() WHERE %s >= 0 AND %s >= 0"))
    assert len({one.split("-")[1] for ids in results for one in ids}) == SESSIONS * TIMES
    assert scalar("SELECT last_value FROM pggit.trinity_id_seq") == SESSIONS * TIMES


def test_all_at_once(conn, scalar, together, drift):
    conn.execute("CREATE TABLE shared (id integer PRIMARY KEY)")

    def work(session, number):
        for i in range(TIMES):
            table = f"t{number}_{i}"
            session.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY REFERENCES shared)")
            session.execute("SELECT pggit.commit_changes('main', %s)", (table,))
            session.execute("SELECT pggit.create_branch(%s)", (table,))
            session.execute("SELECT pggit.create_data_branch(%s, 'main', %s)", (table, table))
            session.execute(f"ALTER TABLE {table} ADD c integer")
            session.execute("SELECT pggit.commit_changes('shared', %s)", (table,))
            session.execute("SELECT pggit.merge_branches(%s, 'main')", (table,))
            session.execute("SELECT pggit.delete_branch_simple(%s)", (table,))
            session.execute(f"DROP TABLE {table}")

    assert not errors(together(work, 4))
    assert not drift()


def test_serializable_sessions_are_told_to_try_again_and_nothing_else(
    scalar, together, broken_promises
):
    def work(session, number):
        session.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        states = set()
        done = 0
        while done < TIMES:
            try:
                session.execute("SELECT pggit.commit_changes('new', 'm')")
                done += 1
            except psycopg.Error as error:
                states.add(error.sqlstate)
        return states

    results = together(work, 4)
    assert set().union(*results) <= {"40001"}
    assert scalar("SELECT count(*) FROM pggit.commits") == 4 * TIMES
    assert not broken_promises()


def test_a_commit_waits_for_the_one_before_it(conn, connect, scalar, background):
    with conn.transaction():
        first = scalar("SELECT pggit.commit_changes('main', 'first')")
        second = background("SELECT pggit.commit_changes('main', 'second')")
        assert not second.done()
    second.result()
    assert scalar("SELECT parent_commit_hash FROM pggit.commits WHERE message = 'second'") == first


def test_a_commit_after_one_that_is_rolled_back_has_the_parent_of_that(conn, scalar, background):
    first = scalar("SELECT pggit.commit_changes('main', 'first')")
    with conn.transaction(force_rollback=True):
        scalar("SELECT pggit.commit_changes('main', 'undone')")
        second = background("SELECT pggit.commit_changes('main', 'second')")
    second.result()
    assert scalar("SELECT parent_commit_hash FROM pggit.commits WHERE message = 'second'") == first


def test_schema_changes_and_commits_do_not_wait_for_each_other(conn, background):
    with conn.transaction():
        conn.execute("CREATE TABLE t (id integer)")
        assert background("SELECT pggit.commit_changes('main', 'm')").done()
        assert background("SELECT pggit.create_branch('feature')").done()
    with conn.transaction():
        conn.execute("SELECT pggit.commit_changes('main', 'm')")
        assert background("SELECT pggit.ensure_object('TABLE', 'public', 'u')").done()


def test_a_merge_waits_for_schema_changes_and_brings_them(conn, scalar, background):
    conn.execute("SELECT pggit.create_branch('feature'); SELECT pggit.switch_branch('feature')")
    with conn.transaction():
        conn.execute("CREATE TABLE t (id integer)")
        merge = background("SELECT pggit.merge_branches('feature', 'main')")
        assert not merge.done()
    merge.result()
    assert scalar("SELECT count(*) FROM pggit.objects WHERE branch_name = 'main'") == 2


def test_a_deletion_waits_for_the_copy_that_is_being_made_and_drops_it(
    conn, background, broken_promises
):
    conn.execute("CREATE TABLE t (id integer); SELECT pggit.create_branch('feature')")
    with conn.transaction():
        conn.execute("SELECT pggit.create_data_branch('t', 'main', 'feature')")
        deletion = background("SELECT pggit.delete_branch_simple('feature')")
        assert not deletion.done()
    deletion.result()
    assert not broken_promises()


def test_no_copy_is_made_on_a_branch_that_is_being_deleted(conn, background, broken_promises):
    conn.execute("CREATE TABLE t (id integer); SELECT pggit.create_branch('feature')")
    with conn.transaction():
        conn.execute("SELECT pggit.delete_branch_simple('feature')")
        copy = background("SELECT pggit.create_data_branch('t', 'main', 'feature')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        copy.result()
    assert not broken_promises()


def test_versions_and_merges_do_not_wait_for_each_other_in_a_circle(
    conn, together, broken_promises
):
    conn.execute("CREATE TABLE t (id integer); SELECT pggit.create_branch('feature')")

    # What main gets is new, what feature gets is none: each merge has something to take.
    increment = """
        SELECT pggit.increment_version(o.id, 'ALTER', 'PATCH', '', {})
          FROM pggit.objects AS o WHERE (o.full_name, o.branch_name) = ('public.t', '{}')"""
    statements = (
        "SELECT pggit.merge_branches('main', 'feature')",
        increment.format("o.metadata || jsonb_build_object('new', random())", "main"),
        increment.format("NULL", "feature"),
    )

    def work(session, number):
        for _ in range(TIMES):
            session.execute(statements[number % 3])

    assert not errors(together(work))
    assert not broken_promises()


def test_merges_in_both_directions_do_not_wait_for_each_other_in_a_circle(
    conn, scalar, together, broken_promises
):
    conn.execute("SELECT pggit.create_branch('feature')")

    def work(session, number):
        for _ in range(TIMES):
            session.execute(
                "SELECT pggit.merge_branches(%s, %s)",
                ("main", "feature") if number % 2 else ("feature", "main"),
            )

    assert not errors(together(work))
    assert scalar("SELECT count(*) FROM pggit.commits") == SESSIONS * TIMES
    assert not broken_promises()
