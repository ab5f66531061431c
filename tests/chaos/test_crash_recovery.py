"""Crashes: what was acknowledged is there afterwards, what was not is whole or not there."""

from __future__ import annotations

import os
import secrets
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos, Pause
from pggit_chaos.cluster import Cluster
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.load import LoadGenerator
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.transaction]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

# A failpoint in the middle of each operation, and the operation.
MIDDLES: dict[str, tuple[str, Callable[[Target], object]]] = {
    "commit, before its row": (
        "pggit.commits.insert.before",
        lambda target: target.commit("main", "crashed"),
    ),
    "commit, after its row": (
        "pggit.commits.insert.after",
        lambda target: target.commit("main", "crashed"),
    ),
    "commit, at COMMIT": (
        "pggit.commits.insert.commit",
        lambda target: target.commit("main", "crashed"),
    ),
    "create_branch": (
        "pggit.branches.insert.after",
        lambda target: target.create_branch("crashed"),
    ),
    "merge": ("pggit.objects.*", lambda target: target.merge("diverged")),
    "data branch": (
        "pggit.branched_tables.insert.after",
        lambda target: target.create_data_branch("ground", "crashed"),
    ),
    "delete_branch": (
        "pggit.branches.update.after",
        lambda target: target.delete_branch("diverged"),
    ),
    "CREATE TABLE": (
        "pggit.history.insert.after",
        lambda target: target.conn.execute("CREATE TABLE public.crashed (id integer)"),
    ),
    "DROP TABLE": (
        "pggit.history.insert.after",
        lambda target: target.conn.execute("DROP TABLE public.ground CASCADE"),
    ),
    "version": (
        "pggit.objects.update.after",
        lambda target: target.increment_version(target.object_id("ground")),
    ),
}


def _prepare(pggit: Target) -> None:
    pggit.conn.execute("CREATE TABLE public.ground (id integer PRIMARY KEY)")
    pggit.conn.execute("INSERT INTO public.ground SELECT generate_series(1, 5)")
    pggit.create_branch("diverged")
    pggit.switch_branch("diverged")
    pggit.conn.execute("CREATE TABLE public.only_there (id integer)")
    pggit.switch_branch("main")
    pggit.commit("main", "before the crash")


def _wait_for_middle(pause: Pause, work: Future[Any]) -> None:
    """Return when the work has stopped at the failpoint; raise what it raised before that."""
    while True:
        try:
            pause.wait(timeout=timedelta(milliseconds=500))
        except TimeoutError:
            if not work.done():
                continue
            work.result()
            pytest.fail(f"it was done without coming by {pause.failpoint}")
        return


def _kill(conn: Connection) -> None:
    os.kill(conn.info.backend_pid, signal.SIGKILL)


def _failed(work: Future[Any]) -> bool:
    """Answer whether the work was cut short; what else went wrong is raised."""
    try:
        work.result()
    except psycopg.OperationalError:
        return True
    return False


class TestSessionThatIsKilled:
    """Short of a crash: SIGTERM to one backend, which is what an administrator does."""

    @pytest.mark.parametrize(
        "name", cases(MIDDLES, smoke=["commit, after its row", "create_branch"])
    )
    def test_nothing_of_it_is_left(
        self,
        chaos: Chaos,
        pggit: Target,
        chaos_connect: Connect,
        chaos_injector: ChaosInjector,
        name: str,
    ) -> None:
        """Promise: an operation whose session goes in the middle has not happened."""
        step, operation = MIDDLES[name]
        _prepare(pggit)
        before = chaos_injector.snapshot()
        victim = chaos_connect(autocommit=True)
        doomed = ChaosInjector(victim, pggit.conn)
        with ThreadPoolExecutor(1) as pool, chaos.paused(step) as pause:
            work = pool.submit(operation, Target(victim))
            _wait_for_middle(pause, work)
            doomed.terminate()
            assert _failed(work)
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"{name}: half of it is left in {changed}"
        pggit.conn.execute("SET lock_timeout = '5s'")
        operation(pggit)  # nothing is in the way of doing it again
        assert before.changes(chaos_injector.snapshot())


@pytest.mark.destructive
class TestCrash:
    @pytest.mark.parametrize("name", MIDDLES)
    def test_nothing_of_what_was_under_way_is_left(
        self,
        chaos_cluster: Cluster,
        chaos: Chaos,
        pggit: Target,
        chaos_connect: Connect,
        chaos_injector: ChaosInjector,
        name: str,
    ) -> None:
        """Promise: an operation that a crash of the server cuts short has not happened.

        Failure: its backend is killed by SIGKILL in the middle, and PostgreSQL recovers.
        """
        step, operation = MIDDLES[name]
        _prepare(pggit)
        before = chaos_injector.snapshot()
        victim = chaos_connect(autocommit=True)
        with ThreadPoolExecutor(1) as pool, chaos.paused(step) as pause:
            work = pool.submit(operation, Target(victim))
            _wait_for_middle(pause, work)
            with chaos_cluster.crashing():
                _kill(victim)
                assert _failed(work)
            chaos.conn.close()  # it went with the server
        survivor = chaos_connect(autocommit=True)
        changed = before.changes(ChaosInjector(observer=survivor).snapshot())
        assert not changed, f"{name}: half of it survived the crash in {changed}"
        Chaos(survivor).disarm_all()
        survivor.execute("SET lock_timeout = '5s'")
        operation(Target(survivor))
        assert Records(survivor).messages("main")[0] == "before the crash"

    @pytest.mark.parametrize("how", ["kill", "crash", "immediate"])
    def test_what_was_acknowledged_is_there(
        self, chaos_cluster: Cluster, pggit: Target, chaos_connect: Connect, how: str
    ) -> None:
        """Promise: a commit that was answered is durable, with its head, branch and history."""
        _prepare(pggit)
        hashes = [pggit.commit("main", f"commit {number}") for number in range(10)]
        pggit.conn.execute("ALTER TABLE public.ground ADD COLUMN more text")
        before = Records(pggit.conn)
        versions, drift = before.history("public.ground"), before.drift()
        match how:
            case "kill":
                chaos_cluster.kill()
                chaos_cluster.start()
            case "crash":
                chaos_cluster.crash()
            case "immediate":
                chaos_cluster.restart(immediate=True)
        survivor = chaos_connect(autocommit=True)
        records = Records(survivor)
        commits = records.commits("main")
        assert [commit.hash for commit in commits[1:]] == hashes, "commits were lost in the crash"
        head = records.branches()["main"].head
        assert head == hashes[-1], f"the last commit is {hashes[-1]}, and the head {head}"
        assert records.history("public.ground") == versions, "history was lost in the crash"
        assert records.drift() == drift

    def test_ids_go_on_behind_those_that_were_given(
        self, chaos_cluster: Cluster, pggit: Target, chaos_connect: Connect
    ) -> None:
        """Promise: no Trinity ID of a commit comes again after a crash."""
        seen = [pggit.commit("main", str(number)) for number in range(5)]
        chaos_cluster.crash()
        survivor = Target(chaos_connect(autocommit=True))
        later = [survivor.commit("main", str(number)) for number in range(5)]
        assert not set(seen) & set(later)
        assert len(Records(survivor.conn).commits("main")) == 10

    def test_no_lock_outlives_the_server(
        self,
        chaos_cluster: Cluster,
        chaos_connect: Connect,
        pggit: Target,
    ) -> None:
        """Promise: what a session held when the server crashed is free."""
        holder = chaos_connect()
        Target(holder).commit("main", "holds the branch")
        chaos_cluster.crash()
        survivor = chaos_connect(autocommit=True)
        survivor.execute("SET lock_timeout = '1s'")
        Target(survivor).commit("main", "free")
        assert TransactionMonitor(survivor).locks() == []
        assert Records(survivor).messages("main") == ["free"]

    def test_under_load_every_success_is_stored_once(
        self, chaos_cluster: Cluster, pggit: Target, chaos_connect: Connect
    ) -> None:
        """Promise: acknowledged means stored; not acknowledged means stored once or not at all.

        Failure: a backend is killed in the middle of a load, and the load goes on.
        """
        acknowledged: list[str] = []
        enough = Event()

        def work(conn: Connection, number: int) -> None:
            Target(conn).commit("main", f"commit {number}")
            conn.commit()
            acknowledged.append(f"commit {number}")
            if len(acknowledged) >= 20:
                enough.set()

        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(LoadGenerator(chaos_connect).run, work, workers=4, count=25)
            assert enough.wait(60)
            chaos_cluster.crash()
            report = load.result()
        lost = report.attempts - report.succeeded
        assert lost > 0, "nobody was disturbed by the crash"
        survivor = chaos_connect(autocommit=True)
        records = Records(survivor)
        stored = Counter(records.messages("main"))
        assert max(stored.values()) == 1, f"stored twice: {stored.most_common(1)}"
        missing = set(acknowledged) - stored.keys()
        assert not missing, f"acknowledged, and gone after the crash: {missing}"
        assert len(stored.keys() - set(acknowledged)) <= lost
        head, last = records.branches()["main"].head, records.commits("main")[-1].hash
        assert head == last, f"the last commit of main is {last}, and its head is {head}"

    def test_a_commit_that_was_prepared_can_be_finished(
        self, fresh_cluster: Callable[..., Cluster]
    ) -> None:
        """Promise: pgGit's part of a two-phase transaction survives the crash between the phases.

        Failure: the server is killed between PREPARE TRANSACTION and COMMIT PREPARED.
        """
        cluster = fresh_cluster(settings={"max_prepared_transactions": "2"})
        name = secrets.token_hex(4)
        with cluster.connect("pggit", autocommit=True) as conn:
            Chaos(conn).uninstall_hooks()
            conn.execute("BEGIN")
            promised = Target(conn).commit("main", "in two phases")
            conn.execute("CREATE TABLE public.in_two_phases (id integer)")
            conn.execute(f"PREPARE TRANSACTION '{name}'".encode())
            assert Records(conn).commits() == []
        cluster.kill()
        cluster.start()
        with cluster.connect("pggit", autocommit=True) as conn:
            assert Records(conn).commits() == []
            conn.execute(f"COMMIT PREPARED '{name}'".encode())
            records = Records(conn)
            assert [commit.hash for commit in records.commits("main")] == [promised]
            assert records.drift() == []
            Target(conn).commit("main", "and on")

    @pytest.mark.parametrize("step", ["before", "after", "commit"])
    def test_the_server_crashes_by_itself(
        self, fresh_cluster: Callable[..., Cluster], step: str
    ) -> None:
        """Promise: a commit that a crash cuts short has not happened; the next follows the last.

        Failure: the backend kills itself at a failpoint within pgGit.
        """
        cluster = fresh_cluster(settings={"pggit_chaos.disposable": "on"})
        with cluster.crashing(), cluster.connect("pggit", autocommit=True) as conn:
            target = Target(conn)
            target.commit("main", "before the crash")
            arm = "SELECT pggit_chaos.arm(%s, 'crash')"
            conn.execute(arm, (f"pggit.commits.insert.{step}",))
            with pytest.raises(psycopg.OperationalError):
                target.commit("main", "crashes")
        with cluster.connect("pggit", autocommit=True) as conn:
            assert Records(conn).messages() == ["before the crash"]
            Chaos(conn).disarm_all()
            Target(conn).commit("main", "after the crash")
            records = Records(conn)
            first, second = records.commits("main")
            assert second.parent == first.hash, (
                f"the commit after the crash follows {first.hash}, and has parent {second.parent}"
            )
            head = records.branches()["main"].head
            assert head == second.hash, f"the last commit is {second.hash}, and the head is {head}"
