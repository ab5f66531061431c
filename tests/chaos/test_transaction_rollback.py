"""What fails has not happened: rollback of pgGit's operations, at each step and in each way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus

from pggit_chaos import sweeps
from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.operations import CORE, Operation
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.transaction]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

COMMIT_STEPS = (
    "pggit.commits.insert.before",
    "pggit.commits.insert.after",
    "pggit.commits.insert.commit",
)


def _is_ours(error: psycopg.Error, sqlstate: str) -> bool:
    return error.sqlstate == sqlstate and error.diag.schema_name == "pggit_chaos"


# What a WHEN OTHERS swallows, and what it does not.
RETRY, CANCEL = "40001", "57014"


# The smoke level sweeps these.
SMOKE = {
    ("commit on main", RETRY),
    ("commit on a new branch", RETRY),
    ("create_branch", CANCEL),
    ("merge_branches", RETRY),
    ("CREATE VIEW", RETRY),
    ("DROP TABLE", RETRY),
}


def _sweeps() -> Iterator[object]:
    for operation, sqlstate in product(CORE, (RETRY, CANCEL)):
        quick = (operation.name, sqlstate) in SMOKE
        yield pytest.param(
            *(operation, sqlstate),
            id=f"{operation.name}-{sqlstate}",
            marks=[] if quick else [pytest.mark.slow],
        )


class TestEveryStep:
    @pytest.mark.parametrize(("operation", "sqlstate"), list(_sweeps()))
    def test_a_fault_at_any_step_surfaces_and_leaves_nothing(
        self, chaos: Chaos, pggit: Target, operation: Operation, sqlstate: str
    ) -> None:
        """Promise: an operation is done or it is not, and says which.

        Failure: an error that asks for a retry, or a cancellation, at each
        failpoint that the operation passes, COMMIT included.
        """
        if operation.needs is not None and not pggit.has(operation.needs):
            raise NotApplicableError(f"this pgGit has no function pggit.{operation.needs}")
        pggit.prepare()
        (sweep,) = sweeps.run(chaos, [operation], [sqlstate])
        assert sweep.error is None, f"{operation.name} fails without any fault: {sweep.error}"
        assert any(outcome.outcome != "unreached" for outcome in sweep.outcomes), (
            f"{operation.name} passed no failpoint: it wrote nothing, and did it do anything?"
        )
        worse = [
            f"{outcome.sqlstate} at {outcome.failpoint}: {outcome.failure}"
            for outcome in sweep.outcomes
            if outcome.failure is not None
        ]
        assert not worse, f"{operation.name} does not survive\n" + "\n".join(worse)


class TestRollback:
    def test_a_rollback_takes_back_everything(
        self, sync_conn: Connection, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: ROLLBACK undoes commits, branches, merges and schema changes alike."""
        before = chaos_injector.snapshot()
        target = Target(sync_conn)
        sync_conn.execute("CREATE TABLE public.undone (id integer PRIMARY KEY, name text)")
        target.create_branch("undone")
        target.commit("undone", "to be undone")
        sync_conn.execute("ALTER TABLE public.undone ADD COLUMN more text")
        target.merge("undone")
        sync_conn.execute("DROP TABLE public.undone")
        assert Records(sync_conn).branches().keys() == {"main", "undone"}
        sync_conn.rollback()
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"ROLLBACK left something of the transaction in {changed}"

    def test_a_savepoint_keeps_what_came_before_it(self, sync_conn: Connection) -> None:
        """Promise: ROLLBACK TO SAVEPOINT undoes the commits after it, and no others."""
        target, records = Target(sync_conn), Records(sync_conn)
        target.commit("main", "kept")
        with sync_conn.transaction(force_rollback=True):
            target.commit("main", "undone")
        target.commit("main", "after")
        sync_conn.commit()
        assert records.messages("main") == ["kept", "after"]
        kept, after = records.commits("main")
        assert after.parent == kept.hash, (
            f"the commit after the rollback has parent {after.parent}; its predecessor is {kept}"
        )
        assert records.branches()["main"].head == after.hash

    def test_nested_savepoints_undo_what_is_theirs(self, sync_conn: Connection) -> None:
        """Promise: each savepoint has its own branches and tables."""
        target, records = Target(sync_conn), Records(sync_conn)
        with sync_conn.transaction():
            target.create_branch("outer")
            sync_conn.execute("CREATE TABLE public.outer_table (id integer)")
            with sync_conn.transaction(force_rollback=True):
                target.create_branch("middle")
                with sync_conn.transaction():
                    sync_conn.execute("CREATE TABLE public.inner_table (id integer)")
        sync_conn.commit()
        assert records.branches().keys() == {"main", "outer"}
        made = {name for name in records.active() if name.endswith("_table")}
        assert made == {"public.outer_table"}

    def test_a_branch_that_was_undone_can_be_created(
        self, sync_conn: Connection, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a name that a rollback freed is free."""
        target = Target(sync_conn)
        target.create_branch("again")
        sync_conn.rollback()
        target.create_branch("again")
        sync_conn.commit()
        assert Records(sync_conn).branches()["again"].parent == "main"

    def test_a_table_that_was_undone_begins_anew(self, sync_conn: Connection) -> None:
        """Promise: a schema change that was rolled back has no version and no history."""
        create = "CREATE TABLE public.anew (id integer)"
        sync_conn.execute(create)
        sync_conn.execute("ALTER TABLE public.anew ADD COLUMN more text")
        sync_conn.rollback()
        sync_conn.execute(create)
        sync_conn.commit()
        records = Records(sync_conn)
        assert [row.change for row in records.history("public.anew")] == ["CREATE"]
        assert records.columns("anew") == {"id"}

    @pytest.mark.rolled_back
    def test_an_error_caught_in_sql_undoes_its_block(
        self, chaos: Chaos, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a caller who catches the error in PL/pgSQL has the state from before.

        Failure: 40001 after the commit's row is written.
        """
        before = chaos_injector.snapshot()
        with chaos.fault("pggit.commits.insert.after", "error(40001)") as fault:
            pggit.conn.execute(
                """
                DO $$
                BEGIN
                    PERFORM pggit.commit_changes('fresh'::text, 'half done'::text, NULL::text);
                EXCEPTION WHEN serialization_failure THEN
                    NULL;
                END
                $$
                """
                if pggit.has("commit_changes(text,text,text)")
                else _SKIPPING_COMMIT
            )
            assert fault.fired == 1
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"the caught error left half a commit in {changed}"


_SKIPPING_COMMIT = """
DO $$
BEGIN
    PERFORM pggit.create_commit('main'::text, 'half done'::text, ''::text, NULL::uuid[]);
EXCEPTION WHEN serialization_failure THEN
    NULL;
END
$$
"""


class TestIdentity:
    def test_trinity_ids_of_a_rollback_are_never_issued_again(self, sync_conn: Connection) -> None:
        """Promise: a Trinity ID is unique for ever, also one that somebody saw and lost."""
        target = Target(sync_conn)
        seen = [target.commit("main", "undone"), target.trinity_id()]
        sync_conn.rollback()
        again = [target.commit("main", "kept"), target.trinity_id()]
        sync_conn.commit()
        assert not set(seen) & set(again), f"issued twice: {set(seen) & set(again)}"

    def test_the_numbers_of_trinity_ids_do_not_repeat(self, pggit: Target) -> None:
        """Promise: the number in a Trinity ID is unique too, rollback or not."""
        numbers = []
        for undo in (False, True, False, True, False):
            with pggit.conn.transaction(force_rollback=undo):
                pggit.commit("main", "counts")
                numbers.append(pggit.trinity_id().split("-")[1])
        assert len(set(numbers)) == len(numbers), f"repeated: {numbers}"

    @pytest.mark.rolled_back
    def test_versions_have_no_gap_after_a_rollback(self, pggit: Target) -> None:
        """Promise: versions count on from where they were, whatever was undone in between."""
        pggit.conn.execute("CREATE TABLE public.counted (id integer)")
        object_id = pggit.object_id("counted")
        for undo in (False, True, True, False, True, False):
            with pggit.conn.transaction(force_rollback=undo):
                pggit.increment_version(object_id)
        history = Records(pggit.conn).history("public.counted")
        assert len(history) == 4
        for former, change in pairwise(history):
            assert change.old_version == former.new_version, f"a gap in {history}"
            assert change.new_version == (change.old_version or 0) + 1, f"a leap in {history}"

    def test_a_trinity_id_that_is_taken_is_refused_at_once(self, sync_conn: Connection) -> None:
        """Promise: the call itself says that an ID is taken, not the COMMIT long after it."""
        target = Target(sync_conn)
        if not target.has("commit_changes(text,text,text)"):
            raise NotApplicableError("this pgGit has no function pggit.commit_changes(...)")
        commit = "SELECT pggit.commit_changes('main'::text, %s::text, 'taken-by-the-first'::text)"
        sync_conn.execute(commit, ("first",))
        with pytest.raises(psycopg.Error) as refused:
            sync_conn.execute(commit, ("second",))
        assert refused.value.sqlstate in ("23505", "P0001")  # a constraint's, or pgGit's own
        sync_conn.rollback()
        assert Records(sync_conn).commits() == []


class TestAtCommit:
    def test_a_commit_that_fails_at_commit_has_not_happened(
        self, chaos: Chaos, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: COMMIT decides.  Failure: 40001 at COMMIT, when pgGit has long returned."""
        before = chaos_injector.snapshot()
        with chaos.fault("pggit.commits.insert.commit", "1*error(40001)") as fault:
            with pytest.raises(errors.SerializationFailure) as caught:
                pggit.commit("main", "fails at COMMIT")
            assert _is_ours(caught.value, "40001")
            assert before.changes(chaos_injector.snapshot()) == []
            pggit.commit("main", "succeeds")
            assert fault.fired == 1
        assert Records(pggit.conn).messages() == ["succeeds"]

    @pytest.mark.slow
    def test_a_whole_transaction_fails_at_commit(
        self, chaos: Chaos, sync_conn: Connection, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: what pgGit recorded goes with what the application wrote, and back."""
        before = chaos_injector.snapshot()
        with chaos.fault("pggit.commits.insert.commit", "error(40001)", scope="database") as fault:
            sync_conn.execute("CREATE TABLE public.mine (id integer)")
            sync_conn.execute("INSERT INTO public.mine VALUES (1)")
            Target(sync_conn).commit("main", "with my rows")
            with pytest.raises(errors.SerializationFailure):
                sync_conn.commit()
            assert fault.fired == 1
        assert sync_conn.info.transaction_status == TransactionStatus.IDLE
        assert before.changes(chaos_injector.snapshot()) == []
        assert sync_conn.execute("SELECT to_regclass('public.mine')").fetchone() == (None,)

    @pytest.mark.slow
    def test_a_session_that_is_ended_at_commit_has_committed_nothing(
        self, chaos: Chaos, chaos_connect: Connect, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: all or nothing.  Failure: the session ends with 57P01 within COMMIT."""
        before = chaos_injector.snapshot()
        victim = chaos_connect()
        with chaos.fault("pggit.commits.insert.commit", "terminate", scope="database") as fault:
            Target(victim).commit("main", "ended at COMMIT")
            with pytest.raises(errors.AdminShutdown):
                victim.commit()
            assert fault.fired == 1
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"half a commit was committed: {changed} changed"


class TestInterruption:
    @pytest.mark.slow
    @pytest.mark.parametrize("step", COMMIT_STEPS)
    def test_a_cancelled_commit_leaves_nothing(
        self,
        chaos: Chaos,
        chaos_connect: Connect,
        chaos_injector: ChaosInjector,
        transaction_monitor: TransactionMonitor,
        step: str,
    ) -> None:
        """Promise: a cancellation is an error like any other.  Failure: cancelled by a client."""
        before = chaos_injector.snapshot()
        victim = chaos_connect(autocommit=True)
        with ThreadPoolExecutor(1) as pool, chaos.paused(step) as pause:
            doomed = pool.submit(Target(victim).commit, "fresh", "to be cancelled")
            pause.wait()
            victim.cancel_safe()
            with pytest.raises(errors.QueryCanceled):
                doomed.result()
        assert before.changes(chaos_injector.snapshot()) == []
        left = transaction_monitor.session_locks(victim.info.backend_pid)
        assert not left, f"the cancelled commit left its session with {left}"

    @pytest.mark.parametrize("step", cases(COMMIT_STEPS, smoke=["pggit.commits.insert.after"]))
    def test_a_terminated_commit_leaves_nothing(
        self,
        chaos: Chaos,
        pggit: Target,
        sync_conn: Connection,
        chaos_injector: ChaosInjector,
        step: str,
    ) -> None:
        """Promise: a lost session takes its half of a commit with it, and frees its locks."""
        before = chaos_injector.snapshot()
        with ThreadPoolExecutor(1) as pool, chaos.paused(step) as pause:
            doomed = pool.submit(_commit_all, sync_conn, "to be lost")
            pause.wait()
            chaos_injector.terminate()
            with pytest.raises(errors.AdminShutdown):
                doomed.result()
        assert before.changes(chaos_injector.snapshot()) == []
        pggit.conn.execute("SET lock_timeout = '1s'")
        pggit.commit("main", "nobody is in the way")
        assert Records(pggit.conn).messages() == ["nobody is in the way"]

    @pytest.mark.slow
    def test_a_terminated_schema_change_leaves_nothing(
        self, chaos: Chaos, sync_conn: Connection, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a table and its record exist both or not at all."""
        before = chaos_injector.snapshot()
        with ThreadPoolExecutor(1) as pool, chaos.paused("pggit.history.insert.after") as pause:
            doomed = pool.submit(sync_conn.execute, "CREATE TABLE public.lost (id integer)")
            pause.wait()
            chaos_injector.terminate()
            with pytest.raises(errors.AdminShutdown):
                doomed.result()
        assert before.changes(chaos_injector.snapshot()) == []
        assert chaos.conn.execute("SELECT to_regclass('public.lost')").fetchone() == (None,)

    @pytest.mark.slow
    def test_a_merge_that_is_cancelled_leaves_both_branches_as_they_were(
        self, chaos: Chaos, pggit: Target, chaos_connect: Connect, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a merge moves everything or nothing, and can be done again."""
        _diverge(pggit)
        before = chaos_injector.snapshot()
        victim = chaos_connect(autocommit=True)
        with ThreadPoolExecutor(1) as pool, chaos.paused("pggit.objects.*") as pause:
            doomed = pool.submit(Target(victim).merge, "diverged")
            pause.wait()
            victim.cancel_safe()
            with pytest.raises(errors.QueryCanceled):
                doomed.result()
        assert before.changes(chaos_injector.snapshot()) == []
        Target(victim).merge("diverged")
        assert "public.only_there" in Records(pggit.conn).active()


class TestWhatIsLeftBehind:
    @pytest.mark.parametrize("branch", ["main", "fresh"])
    def test_a_commit_that_fails_leaves_no_lock(
        self, chaos: Chaos, pggit: Target, transaction_monitor: TransactionMonitor, branch: str
    ) -> None:
        """Promise: locks end with the transaction.  Failure: 40001 in the middle of a commit."""
        with chaos.fault("pggit.commits.insert.before", "error(40001)") as fault:
            with pytest.raises(psycopg.Error):
                pggit.commit(branch, "fails")
            assert fault.fired == 1
        left = transaction_monitor.session_locks(pggit.conn.info.backend_pid)
        assert not left, f"the failed commit left its session with {left}"

    @pytest.mark.parametrize(
        "operation",
        cases(
            ["commit", "create_branch", "create_data_branch", "merge", "delete_branch", "DDL"],
            smoke=["merge", "delete_branch"],
        ),
    )
    @pytest.mark.parametrize("ending", cases(["success", "rollback"], smoke=["success"]))
    def test_the_session_is_as_it_was(self, pggit: Target, operation: str, ending: str) -> None:
        """Promise: no operation but switch_branch changes what its caller has set."""
        conn = pggit.conn
        _diverge(pggit)
        conn.execute("CREATE TABLE public.copied (id integer PRIMARY KEY)")
        pggit.create_data_branch("copied", "with_copy")
        pggit.switch_branch("diverged")
        before = _settings(conn)
        work: dict[str, Callable[[], object]] = {
            "commit": lambda: pggit.commit("main", "elsewhere"),
            "create_branch": lambda: pggit.create_branch("created"),
            "create_data_branch": lambda: pggit.create_data_branch("copied", "another"),
            "merge": lambda: pggit.merge("diverged"),
            "delete_branch": lambda: pggit.delete_branch("with_copy"),
            "DDL": lambda: conn.execute("CREATE TABLE public.more (id integer)"),
        }
        with conn.transaction(force_rollback=ending == "rollback"):
            work[operation]()
        after = _settings(conn)
        changed = {
            name: after.get(name) for name, value in before.items() if after.get(name) != value
        }
        assert not changed, f"{operation} left its caller with {changed}"


def _commit_all(conn: Connection, message: str) -> None:
    Target(conn).commit("main", message)
    conn.commit()


def _diverge(target: Target) -> None:
    """Make a branch that has a table which main has not."""
    target.create_branch("diverged")
    target.switch_branch("diverged")
    target.conn.execute("CREATE TABLE public.only_there (id integer PRIMARY KEY)")
    target.switch_branch("main")


def _settings(conn: Connection) -> dict[str, str]:
    """Return what can be set: what PostgreSQL knows, and what pgGit has made up."""
    known = dict(conn.execute("SELECT name, setting FROM pg_settings").fetchall())
    return known | Records(conn).settings()
