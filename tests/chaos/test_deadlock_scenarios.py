"""Deadlocks that really happen, those that may not, and those that are said to have happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.deadlock import Deadlock, DeadlockSetup, NoDeadlockError
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.oracle import broken_lines, broken_versions, refused, state, value
from pggit_chaos.plugin.levels import cases
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.concurrent]

Connection = psycopg.Connection[Any]

COMMITS = """
SELECT array_agg(c.message ORDER BY c.message)
  FROM ONLY pggit.commits AS c JOIN ONLY pggit.branches AS b ON b.id = c.branch_id
 WHERE b.name = %s
"""
VERSION = "SELECT o.version FROM ONLY pggit.objects AS o WHERE o.id = %s"
LOCKS = """
SELECT count(*) FROM pg_locks AS l
 WHERE l.pid = %s AND l.locktype IN ('advisory', 'relation', 'transactionid')
   AND l.relation IS DISTINCT FROM 'pg_locks'::regclass
"""
# The others are struck by 40001, in test_serialization_failures.py.
INJECTABLE = ("commit on main", "merge_branches", "increment_version")


@pytest.fixture
def crowd(chaos_connect: Any) -> Crowd:
    return Crowd(chaos_connect)


@pytest.fixture
def branches(pggit: Target) -> tuple[str, str]:
    for branch in ("a", "b"):
        pggit.create_branch(branch)
    return "a", "b"


@pytest.fixture
def objects(pggit: Target) -> tuple[int, int]:
    pggit.conn.execute("CREATE TABLE public.one (id integer); CREATE TABLE public.two (id integer)")
    return pggit.object_id("one"), pggit.object_id("two")


@contextmanager
def crosswise(setup: DeadlockSetup, *steps: Any) -> Iterator[Deadlock]:
    """A deadlock; where this pgGit serializes nothing there is none, and nothing to test."""
    try:
        with setup.deadlock(*steps) as deadlock:
            yield deadlock
    except NoDeadlockError as error:
        raise NotApplicableError(f"here these do not wait for each other ({error})") from error


def committing(branch: str) -> Any:
    """A step of a deadlock; its message says which session did it."""
    return lambda conn: Target(conn).commit(branch, f"{conn.info.backend_pid} on {branch}")


def raising(object_id: int) -> Any:
    return lambda conn: Target(conn).increment_version(object_id)


def statement(text: str) -> Any:
    return lambda conn: conn.execute(text)


def again(conn: Connection, *steps: Any) -> None:
    """Run the loser's transaction once more, as the error says that one may."""
    with conn.transaction():
        for step in steps:
            step(conn)


class TestRealDeadlocks:
    def test_commits_crosswise(
        self, pggit: Target, deadlock_setup: DeadlockSetup, branches: tuple[str, str]
    ) -> None:
        """Promise: of two that commit to two branches crosswise one sees 40P01, and can retry."""
        one, other = (committing(branch) for branch in branches)
        with crosswise(deadlock_setup, one, other) as deadlock:
            pids = deadlock.survivor.info.backend_pid, deadlock.loser.info.backend_pid
            assert deadlock.error.sqlstate == "40P01"
            deadlock.survivor.commit()
            assert value(pggit.conn, COMMITS, "a") == [f"{pids[0]} on a"], "the loser left some"
            again(deadlock.loser, one, other)
        for branch in branches:
            due = sorted(f"{pid} on {branch}" for pid in pids)
            assert value(pggit.conn, COMMITS, branch) == due, "not exactly once each"
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.slow
    def test_versions_crosswise(
        self, pggit: Target, deadlock_setup: DeadlockSetup, objects: tuple[int, int]
    ) -> None:
        """Promise: two that count two objects crosswise count each of them once each."""
        before = [value(pggit.conn, VERSION, each) for each in objects]
        one, other = (raising(each) for each in objects)
        with crosswise(deadlock_setup, one, other) as deadlock:
            deadlock.survivor.commit()
            again(deadlock.loser, one, other)
        assert [value(pggit.conn, VERSION, each) for each in objects] == [v + 2 for v in before]
        assert not broken_versions(pggit.conn), "\n".join(broken_versions(pggit.conn))

    def test_a_commit_and_a_users_own_row_crosswise(
        self, pggit: Target, deadlock_setup: DeadlockSetup
    ) -> None:
        """Promise: rows of the application and commits to pgGit fail and succeed together."""
        pggit.conn.execute("CREATE TABLE public.account (balance integer)")
        pggit.conn.execute("INSERT INTO public.account VALUES (0)")
        paying, telling = (
            statement("UPDATE public.account SET balance = balance + 1"),
            committing("main"),
        )
        with crosswise(deadlock_setup, paying, telling) as deadlock:
            deadlock.survivor.commit()
            assert value(pggit.conn, "SELECT balance FROM public.account") == 1
            again(deadlock.loser, paying, telling)
        assert value(pggit.conn, "SELECT balance FROM public.account") == 2
        assert len(value(pggit.conn, COMMITS, "main")) == 2

    @pytest.mark.slow
    def test_schema_changes_crosswise(
        self, pggit: Target, deadlock_setup: DeadlockSetup, objects: tuple[int, int]
    ) -> None:
        """Promise: a schema change that loses a deadlock is neither done nor recorded."""
        before = [value(pggit.conn, VERSION, each) for each in objects]
        one, two = (
            lambda conn, table=table: conn.execute(
                f"ALTER TABLE public.{table} ADD COLUMN by_{conn.info.backend_pid} text"
            )
            for table in ("one", "two")
        )
        with crosswise(deadlock_setup, one, two) as deadlock:
            deadlock.survivor.commit()
            now = [value(pggit.conn, VERSION, each) for each in objects]
            assert now == [version + 1 for version in before], "the loser's change was counted"
            again(deadlock.loser, one, two)
        assert [value(pggit.conn, VERSION, each) for each in objects] == [v + 2 for v in before]
        assert not broken_versions(pggit.conn), "\n".join(broken_versions(pggit.conn))

    def test_the_loser_keeps_nothing(
        self,
        pggit: Target,
        deadlock_setup: DeadlockSetup,
        transaction_monitor: TransactionMonitor,
        branches: tuple[str, str],
    ) -> None:
        """Promise: a session that lost a deadlock in pgGit has no lock and no setting of it."""
        settings = "SELECT array_agg(s.name || '=' || s.setting) FROM pg_settings AS s"
        with crosswise(deadlock_setup, *map(committing, branches)) as deadlock:
            pid = deadlock.loser.info.backend_pid
            assert value(pggit.conn, LOCKS, pid) == 0, "the loser still holds locks"
            branch = value(deadlock.loser, "SELECT current_setting('pggit.current_branch', true)")
            assert branch in (None, "", "main"), f"the loser is on branch {branch!r}"
            mine, fresh = value(deadlock.loser, settings), value(deadlock.survivor, settings)
            timeout = "deadlock_timeout="
            assert [each for each in mine if not each.startswith(timeout)] == [
                each for each in fresh if not each.startswith(timeout)
            ]
            deadlock.survivor.rollback()
        assert value(pggit.conn, COMMITS, "a") is None, "both were rolled back"

    def test_work_before_the_savepoint_survives_the_deadlock(
        self, pggit: Target, crowd: Crowd, chaos_connect: Any, branches: tuple[str, str]
    ) -> None:
        """Promise: where 40P01 is rolled back to a savepoint, what was done before it is kept."""
        pggit.create_branch("c")
        loser, winner = chaos_connect(), chaos_connect()
        loser.execute("SET LOCAL deadlock_timeout = '1ms'")
        winner.execute("SET LOCAL deadlock_timeout = '1h'")
        Target(loser).commit("c", "before")
        Target(winner).commit("a", "winner")
        loser.execute("SAVEPOINT here")
        Target(loser).commit("b", "undone")
        with crowd.running(lambda target: target.commit("b", "winner"), session=winner) as waiting:
            if waiting.settle():
                raise NotApplicableError("here commits to one branch do not wait for each other")
            with pytest.raises(psycopg.errors.DeadlockDetected):
                Target(loser).commit("a", "undone")
            loser.execute("ROLLBACK TO here")
            assert not errors([waiting.outcome()])
        winner.commit()
        loser.commit()
        found = [value(pggit.conn, COMMITS, branch) for branch in "abc"]
        assert found == [["winner"], ["winner"], ["before"]]

    @pytest.mark.slow
    def test_three_in_a_circle(
        self, pggit: Target, crowd: Crowd, chaos_connect: Any, branches: tuple[str, str]
    ) -> None:
        """Promise: of three that wait for each other one sees 40P01, and all get done."""
        pggit.create_branch("c")
        sessions = [chaos_connect() for _ in "abc"]
        steps = dict(zip("abc", sessions, strict=True))
        for branch, conn in steps.items():
            Target(conn).commit(branch, f"{branch} by {branch}")

        def closing(branch: str, own: str) -> Any:
            def work(target: Target) -> None:
                try:
                    target.commit(branch, f"{branch} by {own}")
                except psycopg.Error:
                    target.conn.rollback()  # lets the others go
                    raise
                target.conn.commit()

            return work

        with (
            crowd.running(closing("b", "a"), session=steps["a"]) as one,
            crowd.running(closing("c", "b"), session=steps["b"]) as two,
            crowd.running(closing("a", "c"), session=steps["c"]) as three,
        ):
            outcomes = [each.outcome() for each in (one, two, three)]
        if not errors(outcomes):
            raise NotApplicableError("here commits to one branch do not wait for each other")
        assert sqlstates(outcomes) == ["40P01"], "not one of three was told that it lost"
        lost = "abc"[[isinstance(each, psycopg.Error) for each in outcomes].index(True)]
        stored = [
            message for branch in "abc" for message in value(pggit.conn, COMMITS, branch) or []
        ]
        assert len(stored) == 4
        assert not [message for message in stored if message.endswith(f"by {lost}")]


class TestNoDeadlocks:
    """What pgGit locks, it locks in one order: by itself it does not deadlock."""

    @contextmanager
    def _crossing(self, crowd: Crowd, holder: Connection, works: list[Any], rows: str) -> Any:
        """Let works queue up behind row locks, so that each has reached its first one."""
        holder.execute(rows)
        with crowd.running(works[0]) as one, crowd.running(works[1]) as other:
            one.settle()
            other.settle()
            holder.rollback()
            yield [one.outcome(), other.outcome()]

    @pytest.mark.parametrize(
        "locked",
        cases(["name = 'main'", "name = 'side'"], smoke=["name = 'side'"]),
        ids=["behind main", "behind side"],
    )
    def test_merges_in_opposite_directions(
        self, pggit: Target, crowd: Crowd, chaos_connect: Any, locked: str
    ) -> None:
        """Promise: two merges between two branches wait for each other, and not in a circle."""
        pggit.create_branch("side")
        works = [
            lambda target: target.merge("side", "main", message="there"),
            lambda target: target.merge("main", "side", message="back"),
        ]
        rows = f"SELECT FROM pggit.branches WHERE {locked} FOR UPDATE"
        with self._crossing(crowd, chaos_connect(), works, rows) as outcomes:
            assert not errors(outcomes), f"opposite merges fail with {sqlstates(outcomes)}"
        assert value(pggit.conn, COMMITS, "main") == ["there"], "a merge is a commit on its target"
        assert value(pggit.conn, COMMITS, "side") == ["back"]

    @pytest.mark.slow
    def test_merges_and_increments(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: merges and increments of what is merged do not deadlock."""
        pggit.conn.execute("CREATE TABLE public.shared (id integer)")
        pggit.create_branch("side")
        ids = [pggit.object_id("shared", branch=branch) for branch in ("main", "side")]

        def counting(object_id: int) -> Any:
            return lambda target: [target.increment_version(object_id) for _ in range(4)]

        def merging(source: str, into: str) -> Any:
            return lambda target: [target.merge(source, into) for _ in range(4)]

        outcomes = crowd.together(
            *map(counting, ids), merging("side", "main"), merging("main", "side")
        )
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        wrong = broken_versions(pggit.conn) + broken_lines(pggit.conn)
        assert not wrong, "\n".join(wrong)

    def test_everything_at_once(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: DDL, commits, branches, merges and data branches get along."""
        pggit.conn.execute("CREATE TABLE public.shared (id integer PRIMARY KEY)")
        pggit.create_branch("side")

        def defining(target: Target) -> None:
            for number in range(3):
                target.conn.execute(f"CREATE TABLE public.t{number} (id int REFERENCES shared)")
                target.conn.execute(f"DROP TABLE public.t{number}")

        def branching(target: Target) -> None:
            for number in range(3):
                target.create_branch(f"b{number}")
                target.merge(f"b{number}", "side")
                target.delete_branch(f"b{number}")

        def copying(target: Target) -> None:
            for number in range(3):
                target.create_data_branch("shared", f"d{number}")

        def committing(target: Target) -> None:
            for number in range(6):
                target.commit(("main", "side")[number % 2], f"commit {number}")

        outcomes = crowd.together(defining, branching, copying, committing, committing)
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        wrong = broken_versions(pggit.conn) + broken_lines(pggit.conn)
        assert not wrong, "\n".join(wrong)


class TestLocksThatAreNotHad:
    @pytest.mark.slow
    def test_a_lock_timeout_is_the_callers(self, pggit: Target, chaos_connect: Any) -> None:
        """Promise: who sets lock_timeout sees 55P03 and not a wait, and nothing was done."""
        holder, impatient = chaos_connect(), Target(chaos_connect(autocommit=True))
        holder.execute("SELECT FROM pggit.branches FOR UPDATE")
        before = state(pggit.conn)
        impatient.conn.execute("SET lock_timeout = '20ms'; SET statement_timeout = '5s'")
        with refused("55P03"):
            impatient.commit("main", "m")
        assert state(pggit.conn) == before
        holder.rollback()
        impatient.commit("main", "now")
        assert value(pggit.conn, COMMITS, "main") == ["now"]

    def test_a_table_that_another_session_has_locked_is_waited_for(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, chaos_connect: Any
    ) -> None:
        """Promise: behind a lock on pgGit's own table a commit waits, and then takes place."""

        def work(target: Target) -> str:
            return target.commit("main", "m")

        with (
            ExitStack() as exits,
            chaos.lock("pggit.commits", "ACCESS EXCLUSIVE", holder=chaos_connect()),
        ):
            waiting = exits.enter_context(crowd.running(work))
            assert not waiting.settle(), "a commit was made past a lock on the table of commits"
        assert not errors([waiting.outcome()]), f"it failed: {waiting.outcome()}"
        assert value(pggit.conn, COMMITS, "main") == ["m"]


class TestInjectedDeadlocks:
    @pytest.mark.parametrize("name", cases(INJECTABLE, smoke=["commit on main"]))
    def test_a_deadlock_at_any_step_surfaces_as_one(
        self, pggit: Target, chaos: Chaos, name: str
    ) -> None:
        """Promise: wherever 40P01 strikes, the caller sees it, and nothing is done."""
        pggit.prepare()
        operation = next((each for each in pggit.operations() if each.name == name), None)
        if operation is None:
            pytest.skip(f"not applicable: this pgGit cannot {name}")
        outcomes = chaos.sweep(operation.statement, sqlstates=("40P01",))
        assert outcomes, f"{name} passes no failpoint: pgGit does nothing"
        bad = [each for each in outcomes if each.outcome != "surfaced"]
        assert not bad, (
            f"{len(bad)} of {len(outcomes)} steps; the first: {bad[0].outcome} at"
            f" {bad[0].failpoint}, the caller sees {bad[0].seen_sqlstate}: {bad[0].detail}"
        )
