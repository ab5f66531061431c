"""Operations of many steps that fail between two of them: all of them happened, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from pggit_chaos.chaos import Chaos
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.retry import is_serialization, with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.transaction]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

TABLES = 4
COPIES = "SELECT count(*) FROM pg_tables WHERE schemaname ~ '^pggit_(base|branches)$'"


@pytest.fixture
def diverged(pggit: Target) -> Target:
    """A pgGit with a branch that has tables which main has not."""
    pggit.conn.execute("CREATE TABLE public.common (id integer PRIMARY KEY)")
    pggit.create_branch("feature")
    pggit.switch_branch("feature")
    for number in range(TABLES):
        pggit.conn.execute(f"CREATE TABLE public.feature_{number} (id integer)".encode())
    pggit.switch_branch("main")
    pggit.commit("feature", "what the feature needs")
    return pggit


class TestBetweenTwoSteps:
    @pytest.mark.rolled_back
    @pytest.mark.parametrize(
        "sqlstate", cases(["40001", "40P01", "53200", "57014"], smoke=["40001", "57014"])
    )
    @pytest.mark.parametrize("step", cases([1, 3], smoke=[3]))
    def test_a_merge_moves_every_object_or_none(
        self,
        chaos: Chaos,
        diverged: Target,
        chaos_injector: ChaosInjector,
        sqlstate: str,
        step: int,
    ) -> None:
        """Promise: a merge is one thing.  Failure: at one of the objects that it moves."""
        before = chaos_injector.snapshot()
        with chaos.fault(
            "pggit.objects.insert.before", f"error({sqlstate})", start_hit=step, end_hit=step
        ) as fault:
            with pytest.raises(psycopg.Error) as caught, diverged.conn.transaction():
                diverged.merge("feature")
            assert fault.fired == 1, "the merge moved fewer objects than the branch has"
        assert caught.value.sqlstate == sqlstate, (
            f"the merge turned {sqlstate} into {caught.value.sqlstate}: no caller can retry"
        )
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"half a merge stayed in {changed}"
        diverged.merge("feature")
        moved = Records(diverged.conn).active()
        assert moved >= {f"public.feature_{number}" for number in range(TABLES)}

    @pytest.mark.rolled_back
    def test_a_branch_has_every_object_of_its_parent_or_is_not_there(
        self, chaos: Chaos, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: create_branch copies everything or nothing.  Failure: in the third object."""
        for number in range(TABLES):
            pggit.conn.execute(f"CREATE TABLE public.t{number} (id integer)".encode())
        before = chaos_injector.snapshot()
        with chaos.fault("pggit.objects.insert.after", "error(53100)", start_hit=3) as fault:
            with pytest.raises(errors.DiskFull), pggit.conn.transaction():
                pggit.create_branch("copy")
            assert fault.fired == 1
        assert before.changes(chaos_injector.snapshot()) == []
        pggit.create_branch("copy")
        records = Records(pggit.conn)
        kinds = ["TABLE", "COLUMN"]
        assert records.active(kinds, branch="copy") == records.active(kinds)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "failpoint",
        [
            "pggit.branched_tables.insert.before",
            "pggit.branch_storage_stats.insert.after",
            "pggit.branched_tables.insert.commit",
        ],
    )
    def test_a_data_branch_leaves_no_copy_without_its_books(
        self, chaos: Chaos, pggit: Target, chaos_injector: ChaosInjector, failpoint: str
    ) -> None:
        """Promise: a copy and what is recorded of it exist both or not at all."""
        pggit.conn.execute("CREATE TABLE public.original AS SELECT generate_series(1, 9) AS id")
        before, copies = chaos_injector.snapshot(), pggit.conn.execute(COPIES).fetchone()
        with chaos.fault(failpoint, "error(40001)") as fault:
            with pytest.raises(errors.SerializationFailure):
                pggit.create_data_branch("original", "data")
            assert fault.fired == 1
        assert before.changes(chaos_injector.snapshot()) == []
        assert pggit.conn.execute(COPIES).fetchone() == copies, "a copy was left behind"
        assert pggit.conn.execute("SELECT count(*) FROM public.original").fetchone() == (9,)

    @pytest.mark.rolled_back
    def test_a_drop_of_many_is_recorded_of_all_or_of_none(
        self, chaos: Chaos, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: DROP ... CASCADE retires all that it drops.  Failure: at the second of them."""
        pggit.conn.execute("CREATE TABLE public.root (id integer PRIMARY KEY)")
        for number in range(3):
            view = f"CREATE VIEW public.leaf_{number} AS SELECT id FROM public.root"
            pggit.conn.execute(view.encode())
        before, others = chaos_injector.snapshot(), _others(pggit)
        with chaos.fault("pggit.history.insert.before", "error(40001)", start_hit=2) as fault:
            with pytest.raises(errors.SerializationFailure), pggit.conn.transaction():
                pggit.conn.execute("DROP TABLE public.root CASCADE")
            assert fault.fired == 1
        assert before.changes(chaos_injector.snapshot()) == []
        pggit.conn.execute("DROP TABLE public.root CASCADE")
        left = Records(pggit.conn).active(["TABLE", "VIEW"]) - others
        assert not left, f"dropped, and still recorded as there: {left}"

    @pytest.mark.rolled_back
    def test_a_version_and_its_history_are_written_both_or_not_at_all(
        self, chaos: Chaos, pggit: Target
    ) -> None:
        """Promise: no version without history.  Failure: the history cannot be written."""
        pggit.conn.execute("CREATE TABLE public.counted (id integer)")
        records, object_id = Records(pggit.conn), pggit.object_id("counted")
        version = records.objects()["TABLE", "public.counted"].version
        with chaos.fault("pggit.history.insert.before", "error(23514)") as fault:
            with pytest.raises(errors.CheckViolation), pggit.conn.transaction():
                pggit.increment_version(object_id)
            assert fault.fired == 1
        assert records.objects()["TABLE", "public.counted"].version == version
        assert pggit.increment_version(object_id) == version + 1


def _others(target: Target) -> set[str]:
    """Return what is recorded of schema public that no test has made."""
    recorded = Records(target.conn).active(["TABLE", "VIEW"])
    return {name for name in recorded if not name.startswith(("public.root", "public.leaf_"))}


class TestScripts:
    @pytest.mark.slow
    def test_a_script_that_is_one_transaction_fails_whole(
        self, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: of statements that are sent together none stays if the last one fails."""
        before = chaos_injector.snapshot()
        script = (
            "CREATE TABLE public.first (id integer); CREATE TABLE public.second (id integer);"
            " SELECT 1 / {}"
        )
        with pytest.raises(errors.DivisionByZero):
            pggit.conn.execute(script.format(0).encode())
        assert before.changes(chaos_injector.snapshot()) == []
        pggit.conn.execute(script.format(1).encode())
        assert Records(pggit.conn).active() >= {"public.first", "public.second"}

    def test_a_script_of_many_transactions_keeps_what_was_done(self, pggit: Target) -> None:
        """Promise: each statement that succeeded is recorded, and that one which failed is not."""
        done = []
        for number, columns in enumerate(["id integer", "id integer, id integer", "id integer"]):
            with suppress(errors.DuplicateColumn):
                pggit.conn.execute(f"CREATE TABLE public.t{number} ({columns})".encode())
                done.append(f"public.t{number}")
        assert done == ["public.t0", "public.t2"]
        assert Records(pggit.conn).active() & {f"public.t{n}" for n in range(3)} == set(done)


class TestRetries:
    def test_a_commit_that_failed_at_its_last_step_is_stored_once(
        self, chaos: Chaos, pggit: Target
    ) -> None:
        """Promise: a retry after 40001 applies exactly once.

        Failure: the last write of the commit, once.
        """
        commit = _commit_statement(pggit).replace("%s", "'m'")
        passed = [hit.failpoint for hit in chaos.trace(commit)]
        steps = [failpoint for failpoint in passed if failpoint.endswith(".before")]
        assert steps, f"the commit wrote nothing; it passed {passed}"
        with chaos.fault(steps[-1], "1*error(40001)") as fault:
            try:
                with_retry(lambda: pggit.commit("main", "once"), backoff=0)
            except psycopg.Error as error:
                pytest.fail(_not_retried(error))
            assert fault.fired == 1
        assert Records(pggit.conn).messages() == ["once"]

    def test_an_error_at_commit_is_retried_and_applied_once(
        self, chaos: Chaos, sync_conn: Connection
    ) -> None:
        """Promise: 40001 means that nothing happened, at COMMIT too."""
        failpoint = "pggit.commits.insert.commit"
        with chaos.fault(failpoint, "2*error(40001)", scope="database") as fault:

            def work() -> None:
                Target(sync_conn).commit("main", "once")
                sync_conn.execute("CREATE TABLE public.with_it (id integer)")
                sync_conn.commit()

            with_retry(work, backoff=0, before_retry=lambda error: sync_conn.rollback())
            assert fault.fired == 2
        records = Records(sync_conn)
        assert records.messages() == ["once"]
        assert [row.change for row in records.history("public.with_it")] == ["CREATE"]

    def test_a_lost_session_is_replaced_and_the_work_applied_once(
        self, chaos: Chaos, chaos_connect: Connect
    ) -> None:
        """Promise: a session that is lost before COMMIT has done nothing that could be doubled."""

        def work() -> None:
            conn = chaos_connect()
            Target(conn).commit("main", "once")
            conn.commit()

        step = "pggit.commits.insert.after"
        with chaos.fault(step, "2*terminate", scope="database") as fault:
            with_retry(work, backoff=0)
            assert fault.fired == 2
        assert Records(chaos.conn).messages() == ["once"]


class TestTasks:
    """The same, for who waits for the server in asyncio."""

    @pytest.mark.slow
    async def test_tasks_that_are_delayed_and_disturbed_commit_once_each(
        self,
        chaos: Chaos,
        async_conn_pool: AsyncConnectionPool[Any],
        chaos_injector: ChaosInjector,
    ) -> None:
        """Promise: with delays, 40001 and retries each task's commit is there once.

        Failure: every third commit, in its middle; the tasks come in any order.
        """
        messages = [f"task {number}" for number in range(8)]
        commit = _commit_statement(Target(chaos.conn))

        async def work(message: str) -> None:
            await chaos_injector.random_delay(0, 10)
            async with async_conn_pool.connection() as conn:
                await conn.execute(commit, (message,))

        step = "pggit.commits.insert.after"
        with chaos.fault(step, "33%error(40001)", scope="database", seed=1) as fault:
            async with asyncio.TaskGroup() as tasks:
                for message in messages:
                    tasks.create_task(_retried(partial(work, message)))
            assert fault.fired > 0
        assert sorted(Records(chaos.conn).messages("main")) == messages

    async def test_a_task_that_loses_its_session_has_committed_nothing(
        self, pggit: Target, async_conn: psycopg.AsyncConnection[Any]
    ) -> None:
        """Promise: all or nothing.  Failure: the task's session is ended before its COMMIT."""
        injector = ChaosInjector(async_conn, pggit.conn)
        before = injector.snapshot()
        await async_conn.execute(_commit_statement(pggit), ("lost",))
        with injector.simulate_connection_failure(probability=1) as failure:
            assert failure.struck
            with pytest.raises(errors.AdminShutdown):
                await async_conn.commit()
        assert before.changes(injector.snapshot()) == []
        pggit.commit("main", "kept")
        assert Records(pggit.conn).messages() == ["kept"]


async def _retried(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await with_retry(work, 8, 0.001, retry_on=is_serialization)
    except psycopg.Error as error:
        pytest.fail(_not_retried(error))


def _not_retried(error: psycopg.Error) -> str:
    return (
        f"40001 struck, and the caller is told {error.sqlstate}, which nobody retries: "
        f"{error.diag.message_primary}"
    )


def _commit_statement(target: Target) -> str:
    """Return the statement that commits to main, with a message as its parameter."""
    if target.has("commit_changes(text,text,text)"):
        return "SELECT pggit.commit_changes('main'::text, %s::text, NULL::text)"
    return "SELECT pggit.create_commit('main'::text, %s::text, ''::text, NULL::uuid[])"


class TestBystanders:
    @pytest.mark.slow
    def test_a_session_that_is_lost_disturbs_no_other(
        self,
        chaos: Chaos,
        pggit: Target,
        sync_conn: Connection,
        chaos_connect: Connect,
        chaos_injector: ChaosInjector,
    ) -> None:
        """Promise: who waits for a commit goes on when that session is lost, and sees nothing."""
        waiting = chaos_connect(autocommit=True)
        with (
            ThreadPoolExecutor(2) as pool,
            chaos.paused(
                "pggit.commits.insert.after", scope=f"pid:{sync_conn.info.backend_pid}"
            ) as pause,
        ):
            doomed = pool.submit(Target(sync_conn).commit, "main", "lost")
            pause.wait()
            next_one = pool.submit(Target(waiting).commit, "main", "kept")
            chaos_injector.terminate()
            with pytest.raises(errors.AdminShutdown):
                doomed.result()
            next_one.result()
        records = Records(pggit.conn)
        assert records.messages() == ["kept"]
        assert records.commits()[0].parent is None, "the parent is a commit that never was"

    def test_a_client_that_vanishes_leaves_a_whole_commit_or_none(
        self, chaos: Chaos, pggit: Target, chaos_connect: Connect
    ) -> None:
        """Promise: what the server had begun for a client that is gone is whole, or is not there.

        Failure: the client's socket is closed while its commit is between two writes.
        """
        victim = chaos_connect(autocommit=True)
        pid = victim.info.backend_pid
        with chaos.paused("pggit.commits.insert.after") as pause:
            commit = _commit_statement(pggit).replace("%s", "'for nobody'")
            victim.pgconn.send_query(commit.encode())
            victim.pgconn.flush()
            pause.wait()
            victim.pgconn.finish()
            pause.release()
            _wait_until_gone(pggit.conn, pid)
        records = Records(pggit.conn)
        messages = records.messages("main")
        assert messages in ([], ["for nobody"])
        head = records.branches()["main"].head
        expected = records.commits()[0].hash if messages else None
        assert head == expected, f"main's head is {head}; the last commit on it is {expected}"

    @pytest.mark.slow
    def test_nobody_sees_a_commit_that_is_half_done(
        self, chaos: Chaos, pggit: Target, chaos_connect: Connect, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a commit becomes visible at once.  Failure: it is held up between its writes."""
        before = chaos_injector.snapshot()
        worker = chaos_connect(autocommit=True)
        with ThreadPoolExecutor(1) as pool, chaos.paused("pggit.commits.insert.after") as pause:
            commit = pool.submit(Target(worker).commit, "main", "slow")
            pause.wait()
            assert before.changes(chaos_injector.snapshot()) == []
            pause.release()
            commit.result()
        assert "pggit.commits" in before.changes(chaos_injector.snapshot())


def _wait_until_gone(conn: Connection, pid: int) -> None:
    while (
        conn.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None
    ):
        conn.execute("SELECT pg_sleep(0.005)")
