"""The SQL functions as Python: what is armed, held or corrupted is undone on the way out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import (
    ChangedSinceError,
    ChaosError,
    NotEnabledError,
    NotInstalledError,
    UsageError,
)
from pggit_chaos.extension import enable
from pggit_chaos.target import Target

Connection = psycopg.Connection[Any]

COMMITS = "pggit.commits.insert.before"


@pytest.fixture
def chaos(conn: Connection) -> Chaos:
    """Chaos with hooks in place, over an autocommit connection."""
    chaos = Chaos(conn)
    chaos.install_hooks()
    return chaos


@pytest.fixture
def in_transactions(cluster: Cluster, database: str, chaos: Chaos) -> Iterator[Chaos]:
    """Chaos in the same database over a connection that begins transactions by itself."""
    with cluster.connect(database) as conn:
        yield Chaos(conn)


def _commit(chaos: Chaos) -> None:
    Target(chaos.conn).commit("main", "a message")


def _armed(chaos: Chaos) -> int:
    row = chaos.conn.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone()
    assert row is not None
    return int(row[0])


def test_a_fault_strikes_in_its_block_and_not_after_it(chaos: Chaos) -> None:
    with chaos.fault(COMMITS, "error(40001)") as fault:
        with pytest.raises(errors.SerializationFailure):
            _commit(chaos)
        assert (fault.hits, fault.fired) == (1, 1)
    assert _armed(chaos) == 0
    _commit(chaos)


def test_the_counters_can_be_read_after_the_block(chaos: Chaos) -> None:
    with chaos.fault(COMMITS, "off") as fault:
        _commit(chaos)
        _commit(chaos)
    assert (fault.hits, fault.fired) == (2, 0)


def test_the_hit_window_is_handed_on(chaos: Chaos) -> None:
    with chaos.fault(COMMITS, "error(40001)", start_hit=2, end_hit=2) as fault:
        _commit(chaos)
        with pytest.raises(errors.SerializationFailure):
            _commit(chaos)
        _commit(chaos)
    assert (fault.hits, fault.fired) == (3, 1)


def test_an_error_in_the_block_disarms_and_passes(chaos: Chaos) -> None:
    with pytest.raises(errors.SerializationFailure), chaos.fault(COMMITS, "error(40001)"):
        _commit(chaos)
    assert _armed(chaos) == 0


def test_an_error_that_is_not_ours_disarms_and_passes(chaos: Chaos) -> None:
    with pytest.raises(ZeroDivisionError), chaos.fault(COMMITS):
        raise ZeroDivisionError
    assert _armed(chaos) == 0


def test_a_rollback_in_the_block_leaves_the_fault_armed(in_transactions: Chaos) -> None:
    with in_transactions.fault(COMMITS, "error(40001)") as fault:
        for _ in range(2):
            with pytest.raises(errors.SerializationFailure):
                _commit(in_transactions)
            in_transactions.conn.rollback()
    assert (fault.hits, fault.fired) == (2, 2)
    assert _armed(in_transactions) == 0


def test_a_failed_transaction_of_the_block_is_rolled_back(in_transactions: Chaos) -> None:
    with in_transactions.fault(COMMITS, "error(40001)") as fault:
        with pytest.raises(errors.SerializationFailure):
            _commit(in_transactions)
    assert fault.fired == 1
    assert _armed(in_transactions) == 0


def test_whoever_reads_the_counters_begins_no_transaction(in_transactions: Chaos) -> None:
    info = in_transactions.conn.info
    with in_transactions.fault(COMMITS, "off") as fault:
        assert fault.fired == 0
        assert info.transaction_status == TransactionStatus.IDLE
    with in_transactions.paused(COMMITS) as pause:
        assert pause.release() == 0
        assert info.transaction_status == TransactionStatus.IDLE
    assert info.transaction_status == TransactionStatus.IDLE


def test_the_callers_row_factory_does_not_matter(chaos: Chaos) -> None:
    chaos.conn.row_factory = dict_row
    with chaos.fault(COMMITS, "off") as fault:
        _commit(chaos)
    assert (fault.hits, fault.fired) == (1, 0)


def test_a_transaction_of_the_caller_is_left_to_the_caller(in_transactions: Chaos) -> None:
    conn = in_transactions.conn
    conn.execute("CREATE TABLE public.mine (i int)")
    with in_transactions.fault(COMMITS, "off"):
        _commit(in_transactions)
    conn.rollback()
    assert conn.execute("SELECT to_regclass('public.mine')").fetchone() == (None,)


def test_counters_that_are_lost_are_not_invented(in_transactions: Chaos) -> None:
    conn = in_transactions.conn
    conn.execute("SELECT")  # from here on, the transaction is the caller's
    with pytest.raises(errors.SerializationFailure):
        with in_transactions.fault(COMMITS, "error(40001)") as fault:
            _commit(in_transactions)
    conn.rollback()
    with pytest.raises(ChaosError, match="counters of the fault were lost"):
        _ = fault.fired
    assert _armed(in_transactions) == 0


def test_a_fault_that_ends_the_session_raises_what_it_raises(chaos: Chaos) -> None:
    with pytest.raises(errors.AdminShutdown), chaos.fault(COMMITS, "terminate"):
        _commit(chaos)


def test_a_session_that_was_ended_meanwhile_raises_nothing_on_the_way_out(
    chaos: Chaos, other: Connection
) -> None:
    pid = chaos.conn.info.backend_pid
    with chaos.fault(COMMITS) as fault:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    with pytest.raises(ChaosError, match="counters of the fault were lost"):
        _ = fault.fired
    assert other.execute("SELECT state FROM pggit_chaos.fault").fetchone() == ("expired",)


def test_an_unknown_failpoint_is_a_usage_error_that_names_near_ones(chaos: Chaos) -> None:
    with pytest.raises(UsageError) as caught, chaos.fault("pggit.comits.insert.before"):
        raise AssertionError("it was armed")
    assert caught.value.sqlstate == "42704"
    assert COMMITS in f"{caught.value.detail} {caught.value.hint}"


def test_a_malformed_term_is_a_usage_error(in_transactions: Chaos) -> None:
    with pytest.raises(UsageError), in_transactions.fault(COMMITS, "explode((("):
        raise AssertionError("it was armed")
    in_transactions.conn.execute("SELECT")  # the failed transaction is not left behind


def test_a_database_that_is_not_enabled_says_what_to_run(chaos: Chaos) -> None:
    enable(chaos.conn, on=False)
    with pytest.raises(NotEnabledError) as caught, chaos.fault(COMMITS):
        raise AssertionError("it was armed")
    assert caught.value.hint is not None
    assert "SET pggit_chaos.enabled = on" in caught.value.hint


def test_disarm_all_counts(chaos: Chaos) -> None:
    chaos.conn.execute("SELECT pggit_chaos.arm(%s)", (COMMITS,))
    chaos.conn.execute("SELECT pggit_chaos.arm(%s)", (COMMITS,))
    assert chaos.disarm_all() == 2
    assert chaos.disarm_all() == 0


def test_hooks_are_there_for_the_block_only(conn: Connection) -> None:
    chaos = Chaos(conn)
    with chaos.hooks():
        assert chaos.hooks_installed()
        assert chaos.trace("SELECT pggit.commit_changes('main', 'm', NULL)")
    assert not chaos.hooks_installed()


def test_hooks_that_were_there_before_stay(chaos: Chaos) -> None:
    with chaos.hooks():
        pass
    assert chaos.hooks_installed()


def test_a_rollback_in_the_block_leaves_the_hooks(cluster: Cluster, database: str) -> None:
    with cluster.connect(database) as conn:
        chaos = Chaos(conn)
        with chaos.hooks():
            conn.rollback()
            assert chaos.hooks_installed()
            conn.rollback()
        assert not chaos.hooks_installed()


def test_hooks_are_counted_by_kind(conn: Connection) -> None:
    chaos = Chaos(conn)
    counts = {count.kind: count.installed for count in chaos.install_hooks()}
    assert set(counts) == {"function", "table", "commit", "ddl"}
    assert chaos.uninstall_hooks() == sum(counts.values())


def test_a_corruption_is_there_for_the_block_only(conn: Connection) -> None:
    chaos = Chaos(conn)
    Target(conn).workload(steps=40)
    before = chaos.state_digest()
    with chaos.corruption("commit_parent_dangling") as corruption:
        assert corruption.kind == "commit_parent_dangling"
        assert corruption.rows == 1
        assert chaos.state_digest() != before
        assert chaos.fsck()
    assert chaos.state_digest() == before
    assert chaos.fsck() == []


def test_an_error_in_the_block_heals_and_passes(conn: Connection) -> None:
    chaos = Chaos(conn)
    Target(conn).workload(steps=40)
    with pytest.raises(ZeroDivisionError), chaos.corruption("commit_parent_dangling"):
        raise ZeroDivisionError
    assert chaos.fsck() == []


def test_a_row_that_was_changed_since_is_not_overwritten(conn: Connection) -> None:
    chaos = Chaos(conn)
    Target(conn).workload(steps=40)
    with pytest.raises(ChangedSinceError), chaos.corruption("commit_parent_dangling"):
        conn.execute("UPDATE pggit.commits SET message = message || '!'")


def test_a_sweep_judges_every_hit(chaos: Chaos) -> None:
    outcomes = chaos.sweep("SELECT pggit.commit_changes('main', 'm', NULL)", ["40001"])
    assert {outcome.outcome for outcome in outcomes} == {"surfaced"}
    assert {outcome.sqlstate for outcome in outcomes} == {"40001"}
    assert all(outcome.failure is None for outcome in outcomes)


@pytest.mark.one_version
def test_drills_checks_kinds_and_digests_come_as_rows(conn: Connection) -> None:
    chaos = Chaos(conn)
    Target(conn).workload(steps=40)
    drill = chaos.drill("commit_parent_dangling", seed=1)
    assert drill.failure is None
    kinds = {kind.kind: kind for kind in chaos.corruption_kinds()}
    assert drill.kind in kinds
    known = {check.check_id for check in chaos.integrity_checks()}
    assert set(kinds[drill.kind].detected_by) <= known
    assert {row.kind for row in chaos.drill_all("commit")} <= set(kinds)
    relations = {row.relation: row for row in chaos.digest()}
    assert relations["pggit.commits"].row_count > 0


def test_fsck_takes_names_and_refuses_unknown_ones(conn: Connection) -> None:
    chaos = Chaos(conn)
    assert chaos.fsck(["commit_parent_missing"], min_severity="error") == []
    with pytest.raises(UsageError):
        chaos.fsck(["no_such_check"])


@pytest.mark.one_version
def test_a_database_without_the_extension_says_so(cluster: Cluster, bare_database: str) -> None:
    with cluster.connect(bare_database) as conn, pytest.raises(NotInstalledError):
        Chaos(conn).fsck()


@pytest.fixture
def other(cluster: Cluster, database: str, chaos: Chaos) -> Iterator[Connection]:
    """An autocommit connection to the same database."""
    with cluster.connect(database, autocommit=True) as conn:
        yield conn


def test_a_pause_stops_another_session_until_it_is_released(
    chaos: Chaos, other: Connection
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with chaos.paused(COMMITS) as pause:
            running = pool.submit(Target(other).commit, "main", "a message")
            pause.wait()
            assert not running.done()
            pause.release()
            running.result(10)
        assert _armed(chaos) == 0


def test_the_end_of_a_pause_lets_everyone_go(chaos: Chaos, other: Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        with chaos.paused(COMMITS) as pause:
            running = pool.submit(Target(other).commit, "main", "a message")
            pause.wait()
        running.result(10)


def test_a_pause_at_which_nobody_stops_says_so(chaos: Chaos) -> None:
    with chaos.paused(COMMITS) as pause, pytest.raises(TimeoutError, match=COMMITS):
        pause.wait(timeout=timedelta(milliseconds=10))


@pytest.mark.parametrize("target", ["pggit.commits", "pggit.branches WHERE id = 1"])
def test_a_lock_is_held_by_the_callers_own_connection(
    cluster: Cluster, database: str, chaos: Chaos, other: Connection, target: str
) -> None:
    other.execute("SET lock_timeout = '50ms'")
    with cluster.connect(database) as holder:
        with chaos.lock(target, holder=holder), pytest.raises(errors.LockNotAvailable):
            Target(other).commit("main", "a message")
        Target(other).commit("main", "a message")


def test_a_lock_of_the_callers_own_connection_ends_by_itself(
    cluster: Cluster, database: str, chaos: Chaos, other: Connection
) -> None:
    holder = cluster.connect(database)
    with chaos.lock("pggit.commits", holder=holder, duration=timedelta(milliseconds=50)):
        Target(other).commit("main", "a message")  # waits, and then goes on
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            holder.execute("SELECT 1")
    holder.close()


def test_a_lock_is_held_by_a_session_that_the_server_starts(
    chaos: Chaos, other: Connection
) -> None:
    chaos.conn.execute("CREATE EXTENSION dblink")
    other.execute("SET lock_timeout = '50ms'")
    with chaos.lock("pggit.commits"), pytest.raises(errors.LockNotAvailable):
        Target(other).commit("main", "a message")
    Target(other).commit("main", "a message")


def test_an_error_under_a_lock_of_the_server_is_the_one_that_is_seen(
    in_transactions: Chaos, other: Connection
) -> None:
    other.execute("CREATE EXTENSION dblink")
    with pytest.raises(errors.DivisionByZero), in_transactions.lock("pggit.commits"):
        in_transactions.conn.execute("SELECT 1 / 0")
    other.execute("SET lock_timeout = '50ms'")
    Target(other).commit("main", "a message")


@pytest.mark.one_version
def test_what_is_no_connection_is_refused(cluster: Cluster) -> None:
    with pytest.raises(UsageError) as caught:
        Chaos(cluster.dsn())  # type: ignore[arg-type]
    assert "psycopg.Connection" in str(caught.value.hint)


def test_disarming_everything_ends_hooks_and_corruptions_too(chaos: Chaos) -> None:
    before = chaos.state_digest()
    chaos.conn.execute("SELECT pggit_chaos.corrupt('branch_main_renamed')")
    assert chaos.disarm_all(everything=True) > 1
    assert not chaos.hooks_installed()
    assert chaos.state_digest() == before
