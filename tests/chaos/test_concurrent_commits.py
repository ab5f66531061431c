"""Many sessions commit at once: nothing is lost, doubled or misplaced."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.oracle import broken_lines, value
from pggit_chaos.plugin.levels import cases
from pggit_chaos.retry import with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.concurrent]

WORKERS = [
    2,
    pytest.param(8, marks=pytest.mark.slow),
    pytest.param(20, marks=pytest.mark.slow),
    pytest.param(50, marks=pytest.mark.slow),
    pytest.param(100, marks=[pytest.mark.slow, pytest.mark.load]),
]
EACH = 3
STORED = """
SELECT array_agg(c.message ORDER BY c.id)
  FROM ONLY pggit.commits AS c JOIN ONLY pggit.branches AS b ON b.id = c.branch_id
 WHERE b.name = %s
"""
HASH = "SELECT c.hash FROM ONLY pggit.commits AS c WHERE c.message = %s"
PARENT = "SELECT c.parent_commit_hash FROM ONLY pggit.commits AS c WHERE c.message = %s"
HEAD = "SELECT b.head_commit_hash FROM ONLY pggit.branches AS b WHERE b.name = %s"
BRANCHES = "SELECT count(*) FROM ONLY pggit.branches AS b WHERE b.name = %s"


@pytest.fixture
def crowd(chaos_connect: Any) -> Crowd:
    return Crowd(chaos_connect)


def stored(conn: psycopg.Connection[Any], branch: str = "main") -> list[str]:
    """The messages of the commits of a branch, in order."""
    return value(conn, STORED, branch) or []


def committing(branch: str, *messages: str) -> Any:
    """Work that makes commits, and returns their hashes."""
    return lambda target: [target.commit(branch, message) for message in messages]


def messages_of(worker: int) -> list[str]:
    return [f"worker {worker}, commit {number}" for number in range(EACH)]


class TestConcurrentCommits:
    @pytest.mark.parametrize("num_workers", WORKERS)
    def test_concurrent_commits_same_branch(
        self, pggit: Target, crowd: Crowd, num_workers: int
    ) -> None:
        """Promise: of N workers that commit to one branch each has each of its commits stored."""
        works = [committing("main", *messages_of(worker)) for worker in range(num_workers)]
        outcomes = crowd.together(*works)
        assert not errors(outcomes), f"commits failed with {sqlstates(outcomes)}"
        hashes = [hash_ for outcome in outcomes for hash_ in outcome]
        assert len(set(hashes)) == num_workers * EACH, "an ID was answered to two commits"
        due = sorted(message for worker in range(num_workers) for message in messages_of(worker))
        assert sorted(stored(pggit.conn)) == due, "what is stored is not what was committed"

    def test_concurrent_commits_make_one_line(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: however many commit at once, each commit follows another one, up to the head."""
        crowd.together(*(committing("main", *messages_of(worker)) for worker in range(6)))
        assert stored(pggit.conn), "no commit is stored"
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.slow
    def test_concurrent_commits_different_branches(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: each branch has its own commits and no other's."""
        for worker in range(6):
            pggit.create_branch(f"branch/{worker}")
        works = [committing(f"branch/{worker}", *messages_of(worker)) for worker in range(6)]
        outcomes = crowd.together(*works)
        assert not errors(outcomes), f"commits failed with {sqlstates(outcomes)}"
        for worker in range(6):
            assert stored(pggit.conn, f"branch/{worker}") == messages_of(worker)

    @pytest.mark.parametrize("num_workers", [8, pytest.param(50, marks=pytest.mark.slow)])
    def test_concurrent_first_commits_make_a_branch_once(
        self, pggit: Target, crowd: Crowd, num_workers: int
    ) -> None:
        """Promise: commits to a branch that does not exist make it once, and all are on it."""
        works = [committing("new", f"worker {worker}") for worker in range(num_workers)]
        outcomes = crowd.together(*works)
        assert not errors(outcomes), f"commits failed with {sqlstates(outcomes)}"
        assert value(pggit.conn, BRANCHES, "new") == 1
        assert sorted(stored(pggit.conn, "new")) == sorted(
            f"worker {w}" for w in range(num_workers)
        )

    async def test_concurrent_commits_by_coroutines(
        self, chaos_database: str, pggit: Target
    ) -> None:
        """Promise: the same for asynchronous sessions: every commit that is answered is stored."""
        if not pggit.has("commit_changes(text,text,text)"):
            raise NotApplicableError("this pgGit has no function pggit.commit_changes")

        async def worker(number: int) -> str:
            async with await psycopg.AsyncConnection.connect(chaos_database) as conn:
                cursor = await conn.execute(
                    "SELECT pggit.commit_changes('main'::text, %s::text, NULL::text)",
                    (f"coroutine {number}",),
                )
                row = await cursor.fetchone()
                return str(row and row[0])

        hashes = await asyncio.gather(*map(worker, range(6)))
        assert len(set(hashes)) == 6
        assert sorted(stored(pggit.conn)) == [f"coroutine {number}" for number in range(6)]


class TestTurns:
    """Windows that are held open: what a second session meets in the middle of a first one's."""

    @pytest.fixture
    def first(self, chaos_connect: Any) -> Target:
        """A session with a transaction that the test ends."""
        return Target(chaos_connect())

    def test_a_commit_follows_the_one_that_was_not_committed_yet(
        self, pggit: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a commit beside another one waits its turn, and has that one as its parent."""
        hash_ = first.commit("main", "first")
        with crowd.running(committing("main", "second")) as second:
            second.settle()
            first.conn.commit()
            assert not errors([second.outcome()]), f"the second failed: {second.outcome()}"
        assert stored(pggit.conn) == ["first", "second"], "a commit that was answered is not there"
        assert value(pggit.conn, PARENT, "second") == hash_, "both commits have the same parent"
        head = value(pggit.conn, HEAD, "main")
        assert head == second.result()[0], f"the last commit is the second; the head is {head}"

    def test_a_commit_does_not_follow_one_that_was_rolled_back(
        self, pggit: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a commit that had to wait for one that is rolled back knows nothing of it."""
        ground = pggit.commit("main", "ground")
        undone = first.commit("main", "undone")
        with crowd.running(committing("main", "second")) as second:
            second.settle()
            first.conn.rollback()
            assert not errors([second.outcome()]), f"the second failed: {second.outcome()}"
        assert stored(pggit.conn) == ["ground", "second"]
        parent = value(pggit.conn, PARENT, "second")
        assert parent != undone, "the parent is a commit that there is not"
        assert parent == ground, f"it follows {ground}, and has {parent} as its parent"

    @pytest.mark.slow
    def test_a_commit_does_not_overtake_one_that_has_read_the_head(
        self, pggit: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: between reading the head and moving it no other commit comes in."""
        with crowd.halted(
            chaos, "pggit.commits.insert.before", committing("main", "first")
        ) as first:
            with crowd.running(committing("main", "second")) as second:
                second.settle()
                first.go_on()
                outcomes = [first.outcome(), second.outcome()]
        assert not errors(outcomes), f"commits failed with {sqlstates(outcomes)}"
        assert sorted(stored(pggit.conn)) == ["first", "second"]
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    def test_commits_to_different_branches_do_not_wait(
        self, pggit: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: who commits to one branch holds up nobody on another one."""
        pggit.create_branch("a")
        pggit.create_branch("b")
        first.commit("a", "on a")
        with crowd.running(committing("b", "on b")) as second:
            done = second.settle()
            first.conn.commit()
            assert not errors([second.outcome()]), f"the second failed: {second.outcome()}"
        assert done, "a commit to one branch waits for a transaction on another one"
        assert (stored(pggit.conn, "a"), stored(pggit.conn, "b")) == (["on a"], ["on b"])

    def test_ids_are_in_the_order_of_commits_whichever_session_makes_them(
        self, pggit: Target, chaos_connect: Any
    ) -> None:
        """Promise: a child has a greater id than its parent: sorting by id is history."""
        sessions = [Target(chaos_connect(autocommit=True)) for _ in range(3)]
        due = []
        for turn in range(3):
            for number, session in enumerate(sessions):
                due.append(f"turn {turn}, session {number}")
                session.commit("main", due[-1])
        assert stored(pggit.conn) == due, "by id the commits are in another order"

    def test_a_branch_that_another_session_is_just_making_can_be_committed_to(
        self, pggit: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a commit to a new branch succeeds, whoever makes the branch."""
        first.create_branch("new")
        with crowd.running(committing("new", "m")) as second:
            second.settle()
            first.conn.commit()
            assert not errors([second.outcome()]), f"the commit failed: {second.outcome()}"
        assert stored(pggit.conn, "new") == ["m"]
        assert value(pggit.conn, BRANCHES, "new") == 1

    def test_a_commit_has_nothing_of_a_transaction_that_is_open(
        self, pggit: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a schema change belongs to a commit that could see it, not to one before."""
        query = """
            SELECT array_agg(DISTINCT c.message) FROM ONLY pggit.history AS h
              JOIN ONLY pggit.objects AS o ON o.id = h.object_id
              JOIN ONLY pggit.commits AS c ON c.hash = h.commit_hash
             WHERE o.full_name = 'public.late'"""
        first.conn.execute("CREATE TABLE public.late (id integer)")
        with crowd.running(committing("main", "early")) as early:
            early.settle()
            first.conn.commit()
            assert not errors([early.outcome()]), f"the commit failed: {early.outcome()}"
        pggit.commit("main", "later")
        if not stored(pggit.conn) or value(pggit.conn, query) is None:
            raise NotApplicableError("this pgGit does not say with which commit a change came")
        assert value(pggit.conn, query) == ["later"]


class TestFaultsAmongCommits:
    @pytest.mark.parametrize(
        "end", cases(["pg_terminate_backend", "pg_cancel_backend"], smoke=["pg_cancel_backend"])
    )
    def test_a_session_that_ends_in_its_commit_takes_nothing_along(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, end: str
    ) -> None:
        """Promise: where a session is ended in its commit, others go on as if it had not begun."""
        ground = pggit.commit("main", "ground")
        with crowd.halted(chaos, "pggit.commits.insert.after", committing("main", "lost")) as lost:
            with crowd.running(committing("main", "kept")) as kept:
                kept.settle()
                assert value(pggit.conn, f"SELECT {end}(%s)", lost.pid)
                assert errors([lost.outcome()]), "a commit that was ended says that it succeeded"
                assert not errors([kept.outcome()]), f"the other failed: {kept.outcome()}"
        assert stored(pggit.conn) == ["ground", "kept"]
        parent, head = value(pggit.conn, PARENT, "kept"), value(pggit.conn, HEAD, "main")
        assert parent == ground, f"it follows {ground}, and has {parent} as its parent"
        assert head == kept.result()[0], f"the last commit is {kept.result()[0]}, the head {head}"

    def test_commits_that_are_retried_are_stored_exactly_once(
        self, pggit: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: 40001 in the middle of commits reaches its caller, who can try again."""

        def stubborn(worker: int) -> Any:
            def work(target: Target) -> list[str]:
                return [
                    with_retry(
                        lambda message=message: target.commit("main", message),
                        max_attempts=20,
                        backoff=0,
                    )
                    for message in messages_of(worker)
                ]

            return work

        failpoint, term = "pggit.commits.insert.after", "40%error(40001)"
        with chaos.fault(failpoint, term, scope="database", seed=3) as fault:
            outcomes = crowd.together(*map(stubborn, range(5)))
            assert fault.fired > 2, "the commits passed without a fault"
        assert not errors(outcomes), f"not 40001, and so not tried again: {sqlstates(outcomes)}"
        due = sorted(message for worker in range(5) for message in messages_of(worker))
        assert sorted(stored(pggit.conn)) == due
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.slow
    def test_one_commit_that_fails_does_not_spoil_those_beside_it(
        self, pggit: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: of many at once only that one fails which is struck, and with its own error."""
        with chaos.fault(
            "pggit.commits.insert.before", "1*error(53100)", scope="database", start_hit=4
        ) as fault:
            outcomes = crowd.together(
                *(committing("main", *messages_of(worker)) for worker in range(4))
            )
            assert fault.fired == 1
        assert sqlstates(outcomes) == ["53100"], "others failed, too, or with another error"
        answered = [hash_ for outcome in outcomes if isinstance(outcome, list) for hash_ in outcome]
        hashes = value(pggit.conn, "SELECT array_agg(c.hash) FROM ONLY pggit.commits AS c")
        assert set(answered) <= set(hashes), "a commit that was answered is not there"
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))

    @pytest.mark.slow
    def test_a_merge_and_a_commit_to_its_source_both_take_place(
        self, pggit: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: what is committed to a branch while it is merged is neither lost nor hidden."""
        pggit.create_branch("side")
        pggit.switch_branch("side")
        pggit.conn.execute("CREATE TABLE public.merged (id integer)")
        pggit.switch_branch("main")
        pggit.commit("side", "work")

        def merging(target: Target) -> str:
            return target.merge("side", "main", message="merge")

        with crowd.halted(chaos, "pggit.objects.*.before", merging) as merge:
            with crowd.running(committing("side", "more")) as more:
                more.settle()
                merge.go_on()
                outcomes = [merge.outcome(), more.outcome()]
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        assert stored(pggit.conn, "side") == ["work", "more"]
        assert stored(pggit.conn) == ["merge"], "the merge is no commit"
        assert not broken_lines(pggit.conn), "\n".join(broken_lines(pggit.conn))
