"""Serialization failures: they reach the caller as 40001, and a retry does the work once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.oracle import broken_lines, broken_versions, refused, state, value
from pggit_chaos.plugin.levels import cases
from pggit_chaos.retry import is_serialization, with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.concurrent]

Connection = psycopg.Connection[Any]

LEVELS = [
    pytest.param(IsolationLevel.REPEATABLE_READ, id="repeatable read"),
    pytest.param(IsolationLevel.SERIALIZABLE, id="serializable"),
]
COMMITS = """
SELECT array_agg(c.message ORDER BY c.id)
  FROM ONLY pggit.commits AS c JOIN ONLY pggit.branches AS b ON b.id = c.branch_id
 WHERE b.name = %s
"""
VERSION = "SELECT o.version FROM ONLY pggit.objects AS o WHERE o.id = %s"
SNAPSHOT = "SELECT count(*) FROM pggit.branches"
# The others are struck by 40P01, in test_deadlock_scenarios.py.
INJECTABLE = (
    "commit on a new branch",
    "create_branch",
    "delete_branch_simple",
    "create_data_branch",
    "ALTER TABLE",
    "DROP TABLE",
)


@pytest.fixture
def crowd(chaos_connect: Any) -> Crowd:
    return Crowd(chaos_connect)


def commits(conn: Connection, branch: str = "main") -> list[str]:
    return value(conn, COMMITS, branch) or []


def at(level: IsolationLevel, conn: Connection) -> Target:
    """A session whose transaction has its snapshot already."""
    conn.rollback()
    conn.isolation_level = level
    conn.execute(SNAPSHOT)
    return Target(conn)


def finish(target: Target, work: Any) -> Any:
    """Do a work and COMMIT; return the answer, or the error of either after a rollback."""
    try:
        answer = work(target)
        target.conn.commit()
    except psycopg.Error as error:
        target.conn.rollback()
        return error
    return answer


class TestRealSerializationFailures:
    @pytest.mark.parametrize("level", LEVELS)
    def test_a_commit_behind_its_snapshot_is_told_so(
        self, pggit: Target, chaos_connect: Any, level: IsolationLevel
    ) -> None:
        """Promise: a head that moved since the snapshot is a 40001; the retry follows it."""
        late = at(level, chaos_connect())
        pggit.commit("main", "first")
        outcome = finish(late, lambda target: target.commit("main", "second"))
        assert sqlstates([outcome]) in ([], ["40001"]), f"the caller saw {outcome}"
        if errors([outcome]):
            assert commits(pggit.conn) == ["first"], "it failed, and it is there"
            outcome = finish(late, lambda target: target.commit("main", "second"))
            assert not errors([outcome]), f"the retry failed: {outcome}"
        assert commits(pggit.conn) == ["first", "second"]
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_commit_that_waited_in_vain_is_told_so(
        self, pggit: Target, crowd: Crowd, chaos_connect: Any, level: IsolationLevel
    ) -> None:
        """Promise: who waits for a commit that then holds sees 40001, and no other code."""
        first = Target(chaos_connect())
        late = at(level, chaos_connect())
        first.commit("main", "first")
        with crowd.running(
            lambda target: finish(target, lambda each: each.commit("main", "second")),
            session=late.conn,
        ) as second:
            second.settle()
            first.conn.commit()
            outcome = second.result()
        assert sqlstates([outcome]) in ([], ["40001"]), f"the caller saw {outcome}"
        stored = commits(pggit.conn)
        assert stored == (["first"] if errors([outcome]) else ["first", "second"])
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_version_behind_its_snapshot_is_not_counted_from_there(
        self, pggit: Target, chaos_connect: Any, level: IsolationLevel
    ) -> None:
        """Promise: an increment that cannot see another one fails with 40001: none is lost."""
        pggit.conn.execute("CREATE TABLE public.counted (id integer)")
        object_id = pggit.object_id("counted")
        before = value(pggit.conn, VERSION, object_id)
        late = at(level, chaos_connect())
        pggit.increment_version(object_id)
        outcome = finish(late, lambda target: target.increment_version(object_id))
        assert sqlstates([outcome]) == ["40001"], f"behind its snapshot it was answered {outcome}"
        again = finish(late, lambda target: target.increment_version(object_id))
        assert again == before + 2 == value(pggit.conn, VERSION, object_id)
        assert not broken_versions(pggit.conn), "\n".join(broken_versions(pggit.conn))

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_branch_that_the_snapshot_does_not_have_is_not_made_again(
        self, pggit: Target, chaos_connect: Any, level: IsolationLevel
    ) -> None:
        """Promise: a commit to a branch made since the snapshot fails, or goes to that branch."""
        late = at(level, chaos_connect())
        pggit.create_branch("new")
        pggit.commit("new", "first")
        outcome = finish(late, lambda target: target.commit("new", "second"))
        if errors([outcome]):
            assert sqlstates([outcome]) == ["40001"], f"the caller saw {outcome}"
            assert commits(pggit.conn, "new") == ["first"]
            outcome = finish(late, lambda target: target.commit("new", "second"))
            assert not errors([outcome]), f"the retry failed: {outcome}"
        assert commits(pggit.conn, "new") == ["first", "second"]
        branches = "SELECT count(*) FROM ONLY pggit.branches AS b WHERE b.name = 'new'"
        assert value(pggit.conn, branches) == 1

    def test_decisions_on_what_others_change_are_not_both_taken(
        self, pggit: Target, chaos_connect: Any
    ) -> None:
        """Promise: at SERIALIZABLE two who each make a branch if there is none do not both."""
        count = "SELECT count(*) FROM pggit.branches WHERE name LIKE 'release/%%'"
        one, other = (at(IsolationLevel.SERIALIZABLE, chaos_connect()) for _ in "12")

        def deciding(name: str) -> Any:
            def work(target: Target) -> None:
                if value(target.conn, count) == 0:
                    target.create_branch(name)

            return work

        assert value(one.conn, count) == value(other.conn, count) == 0
        outcomes = [finish(one, deciding("release/1")), finish(other, deciding("release/2"))]
        assert sqlstates(outcomes) == ["40001"], "both took a decision that each had made wrong"
        assert not errors([finish(other, deciding("release/2"))])
        assert value(pggit.conn, count) == 1

    @pytest.mark.slow
    def test_a_schema_change_behind_its_snapshot_is_whole_or_told(
        self, pggit: Target, chaos_connect: Any
    ) -> None:
        """Promise: DDL at REPEATABLE READ counts from the newest version, or fails with 40001."""
        pggit.conn.execute("CREATE TABLE public.grown (id integer)")
        object_id = pggit.object_id("grown")
        before = value(pggit.conn, VERSION, object_id)
        late = at(IsolationLevel.REPEATABLE_READ, chaos_connect())
        pggit.conn.execute("ALTER TABLE public.grown ADD COLUMN one text")
        alter = "ALTER TABLE public.grown ADD COLUMN two text"
        outcome = finish(late, lambda target: target.conn.execute(alter))
        if errors([outcome]):
            assert sqlstates([outcome]) == ["40001"], f"the caller saw {outcome}"
            assert not errors([finish(late, lambda target: target.conn.execute(alter))])
        assert value(pggit.conn, VERSION, object_id) == before + 2, "a change was not counted"
        assert not broken_versions(pggit.conn), "\n".join(broken_versions(pggit.conn))

    @pytest.mark.slow
    @pytest.mark.parametrize("num_workers", [4, pytest.param(20, marks=pytest.mark.slow)])
    def test_serializable_workers_that_retry_store_each_commit_once(
        self, pggit: Target, crowd: Crowd, num_workers: int
    ) -> None:
        """Promise: at SERIALIZABLE only 40001 is in the way, and retries get all work done."""

        def stubborn(worker: int) -> Any:
            def work(target: Target) -> None:
                target.conn.isolation_level = IsolationLevel.SERIALIZABLE
                for number in range(2):
                    with_retry(
                        lambda number=number: target.commit("main", f"{worker}.{number}"),
                        max_attempts=200,
                        backoff=0,
                        retry_on=is_serialization,
                    )

            return work

        outcomes = crowd.together(*map(stubborn, range(num_workers)))
        assert not errors(outcomes), f"not 40001, and so not tried again: {sqlstates(outcomes)}"
        due = sorted(f"{worker}.{number}" for worker in range(num_workers) for number in range(2))
        assert sorted(commits(pggit.conn)) == due
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    def test_a_snapshot_shows_one_moment_while_others_work(
        self, pggit: Target, crowd: Crowd, chaos_connect: Any
    ) -> None:
        """Promise: who reads at REPEATABLE READ sees commits and heads that fit, at any time."""

        def reading(target: Target) -> list[str]:
            target.conn.isolation_level = IsolationLevel.REPEATABLE_READ
            wrong: list[str] = []
            for _ in range(500):
                with target.conn.transaction():
                    wrong += broken_lines(target.conn)
                    if len(commits(target.conn)) == 16:
                        break
            return wrong

        def writing(target: Target) -> None:
            for number in range(8):
                target.commit("main", f"commit {number}")

        outcomes = crowd.together(writing, reading, writing, reading)
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        assert len(commits(pggit.conn)) == 16
        assert outcomes[1] + outcomes[3] == [], "commits and heads that do not fit were seen"


class TestInjectedSerializationFailures:
    @pytest.mark.parametrize("name", cases(INJECTABLE, smoke=["commit on a new branch"]))
    def test_a_failure_at_any_step_surfaces_as_one(
        self, pggit: Target, chaos: Chaos, name: str
    ) -> None:
        """Promise: wherever 40001 strikes, the caller sees it, and nothing is done."""
        pggit.prepare()
        operation = next((each for each in pggit.operations() if each.name == name), None)
        if operation is None:
            pytest.skip(f"not applicable: this pgGit cannot {name}")
        outcomes = chaos.sweep(operation.statement, sqlstates=("40001",))
        assert outcomes, f"{name} passes no failpoint: pgGit does nothing"
        bad = [each for each in outcomes if each.outcome != "surfaced"]
        assert not bad, (
            f"{len(bad)} of {len(outcomes)} steps; the first: {bad[0].outcome} at"
            f" {bad[0].failpoint}, the caller sees {bad[0].seen_sqlstate}: {bad[0].detail}"
        )

    @pytest.mark.slow
    def test_a_failure_at_commit_leaves_nothing(self, pggit: Target, chaos: Chaos) -> None:
        """Promise: where COMMIT itself fails with 40001, what was answered is not there."""
        before = state(pggit.conn)
        with chaos.fault("pggit.commits.insert.commit", "1*error(40001)") as fault:
            with pytest.raises(psycopg.errors.SerializationFailure) as caught:
                pggit.commit("main", "m")
            assert caught.value.diag.schema_name == "pggit_chaos"
            assert fault.fired == 1
            assert state(pggit.conn) == before, "what was not committed left something"
            pggit.commit("main", "m")
        assert commits(pggit.conn) == ["m"]

    @pytest.mark.parametrize(
        "failpoint",
        cases(
            ["pggit.commits.insert.before", "pggit.commits.insert.commit"],
            smoke=["pggit.commits.insert.commit"],
        ),
    )
    def test_a_retry_on_its_sqlstate_applies_exactly_once(
        self, pggit: Target, chaos: Chaos, failpoint: str
    ) -> None:
        """Promise: two failures and a success are one commit."""
        with chaos.fault(failpoint, "2*error(40001)->off") as fault:
            try:
                hash_ = with_retry(
                    lambda: pggit.commit("main", "stubborn"), backoff=0, retry_on=is_serialization
                )
            except psycopg.Error as error:
                pytest.fail(f"40001 struck, and the caller saw {error.sqlstate}: {error}")
            assert fault.fired == 2
        assert commits(pggit.conn) == ["stubborn"]
        stored = value(pggit.conn, "SELECT array_agg(c.hash) FROM ONLY pggit.commits AS c")
        assert stored == [hash_], f"{hash_} was answered, and {stored} is stored"

    def test_a_retry_from_a_savepoint_keeps_what_was_before(
        self, pggit: Target, chaos: Chaos
    ) -> None:
        """Promise: what failed in a savepoint can be tried again in its transaction."""
        with chaos.fault("pggit.commits.insert.after", "1*error(40001)", start_hit=2) as fault:
            with pggit.conn.transaction():
                first = pggit.commit("main", "first")
                with refused("40001"), pggit.conn.transaction():
                    pggit.commit("main", "second")
                pggit.commit("main", "second")
            assert fault.fired == 1
        assert commits(pggit.conn) == ["first", "second"]
        parent = "SELECT c.parent_commit_hash FROM ONLY pggit.commits AS c WHERE c.message = %s"
        found = value(pggit.conn, parent, "second")
        assert found == first, f"the retry follows {first}, and has {found} as its parent"
