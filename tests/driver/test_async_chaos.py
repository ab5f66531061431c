"""AsyncChaos is Chaos for whoever awaits: the same methods, and blocks that end in a task, too."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus

from pggit_chaos import async_chaos, chaos
from pggit_chaos.async_chaos import AsyncChaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import ChaosError, NotEnabledError, UsageError
from pggit_chaos.extension import enable
from servers.fleet import ROOT

AsyncConnection = psycopg.AsyncConnection[Any]

COMMITS = "pggit.commits.insert.before"
A_SECOND = timedelta(seconds=1)


# -- one source ----------------------------------------------------------


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("to_sync", ROOT / "driver/async_to_sync.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.one_version
def test_what_does_not_wait_is_made_from_what_does() -> None:
    tool = _tool()
    for source in tool.SOURCES:
        made = tool.to_sync(source)
        assert tool.result_of(source).read_text() == made, "run: python driver/async_to_sync.py"
        waiting = (ast.AsyncFunctionDef, ast.AsyncWith, ast.AsyncFor, ast.Await)
        assert not any(isinstance(node, waiting) for node in ast.walk(ast.parse(made)))


def _public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


def _without_async(text: object) -> str:
    return str(text).replace("Async", "")


@pytest.mark.one_version
@pytest.mark.parametrize("name", async_chaos.__all__)
def test_the_two_have_the_same_methods_signatures_and_docstrings(name: str) -> None:
    ours = getattr(async_chaos, name)
    theirs = getattr(chaos, name.removeprefix("Async"))
    assert list(_public(ours)) == list(_public(theirs))
    for method, member in {"": ours, **_public(ours)}.items():
        other = _public(theirs)[method] if method else theirs
        if isinstance(member, property):
            member, other = member.fget, other.fget
        assert _without_async(inspect.signature(member)) == str(inspect.signature(other)), method
        assert member.__doc__ == other.__doc__ is not None


@pytest.mark.one_version
def test_whatever_talks_to_the_server_is_awaited() -> None:
    waiting = set()
    for name, member in _public(AsyncChaos).items():
        inner = inspect.unwrap(member)
        if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
            waiting.add(name)
    assert waiting == set(_public(AsyncChaos))


# -- what it does --------------------------------------------------------


def _open(
    cluster: Cluster, database: str, runner: asyncio.Runner, *, autocommit: bool
) -> Iterator[AsyncConnection]:
    connect = psycopg.AsyncConnection.connect
    conn = runner.run(connect(cluster.dsn(database), autocommit=autocommit))
    yield conn
    runner.run(conn.close())


@pytest.fixture
def conn(
    cluster: Cluster, database: str, async_runner: asyncio.Runner
) -> Iterator[AsyncConnection]:
    yield from _open(cluster, database, async_runner, autocommit=True)


@pytest.fixture
def other(
    cluster: Cluster, database: str, async_runner: asyncio.Runner
) -> Iterator[AsyncConnection]:
    """Another autocommit connection to the same database."""
    yield from _open(cluster, database, async_runner, autocommit=True)


@pytest.fixture
def in_transactions(
    cluster: Cluster, database: str, async_runner: asyncio.Runner
) -> Iterator[AsyncConnection]:
    """A connection to the same database that begins transactions by itself."""
    yield from _open(cluster, database, async_runner, autocommit=False)


@pytest.fixture
def hooked(conn: AsyncConnection, async_runner: asyncio.Runner) -> AsyncChaos:
    """AsyncChaos with hooks in place, over an autocommit connection."""
    result = AsyncChaos(conn)
    async_runner.run(result.install_hooks())
    return result


async def _commit(conn: AsyncConnection, message: str = "a message") -> str:
    cursor = await conn.execute("SELECT pggit.commit_changes('main', %s, NULL)", (message,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def _count(conn: AsyncConnection, query: str) -> int:
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])


async def _armed(conn: AsyncConnection) -> int:
    return await _count(conn, "SELECT count(*) FROM pggit_chaos.fault")


async def test_a_fault_strikes_in_its_block_and_not_after_it(hooked: AsyncChaos) -> None:
    async with hooked.fault(COMMITS, "error(40001)") as fault:
        with pytest.raises(errors.SerializationFailure):
            await _commit(hooked.conn)
        assert (await fault.hits, await fault.fired) == (1, 1)
    assert await _armed(hooked.conn) == 0
    await _commit(hooked.conn)
    assert await fault.fired == 1


async def test_a_cancelled_task_disarms_on_its_way_out(
    hooked: AsyncChaos, other: AsyncConnection
) -> None:
    begun = asyncio.Event()

    async def stop_there() -> None:
        async with hooked.fault(COMMITS, "wait", scope="database"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stop_there())
    await begun.wait()
    assert await _armed(other) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _armed(other) == 0


async def test_a_task_that_waits_inside_pggit_can_be_cancelled(
    hooked: AsyncChaos, other: AsyncConnection
) -> None:
    async with hooked.paused(COMMITS) as pause:
        task = asyncio.create_task(_commit(other, "never"))
        await pause.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await _count(other, "SELECT count(*) FROM pggit.commits WHERE message = 'never'") == 0
    await _commit(other)


async def test_a_pause_stops_another_task_until_it_is_released(
    hooked: AsyncChaos, other: AsyncConnection
) -> None:
    async with hooked.paused(COMMITS) as pause:
        task = asyncio.create_task(_commit(other))
        await pause.wait()
        assert not task.done()
        assert await pause.release() == 1
        async with asyncio.timeout(10):
            await task
    assert await _armed(hooked.conn) == 0


async def test_a_pause_at_which_nobody_stops_says_so(hooked: AsyncChaos) -> None:
    async with hooked.paused(COMMITS) as pause:
        with pytest.raises(TimeoutError, match=COMMITS):
            await pause.wait(timeout=timedelta(milliseconds=10))


async def test_a_rollback_in_the_block_leaves_the_fault_armed(
    hooked: AsyncChaos, in_transactions: AsyncConnection
) -> None:
    async with AsyncChaos(in_transactions).fault(COMMITS, "error(40001)") as fault:
        for _ in range(2):
            with pytest.raises(errors.SerializationFailure):
                await _commit(in_transactions)
            await in_transactions.rollback()
    assert (await fault.hits, await fault.fired) == (2, 2)
    assert in_transactions.info.transaction_status == TransactionStatus.IDLE


async def test_counters_that_are_lost_are_not_invented(
    hooked: AsyncChaos, in_transactions: AsyncConnection
) -> None:
    await in_transactions.execute("SELECT")  # from here on, the transaction is the caller's
    with pytest.raises(errors.SerializationFailure):
        async with AsyncChaos(in_transactions).fault(COMMITS, "error(40001)") as fault:
            await _commit(in_transactions)
    await in_transactions.rollback()
    with pytest.raises(ChaosError, match="counters of the fault were lost"):
        await fault.fired


async def test_a_fault_that_ends_the_session_raises_what_it_raises(hooked: AsyncChaos) -> None:
    with pytest.raises(errors.AdminShutdown):
        async with hooked.fault(COMMITS, "terminate"):
            await _commit(hooked.conn)


async def test_an_unknown_failpoint_is_a_usage_error(hooked: AsyncChaos) -> None:
    with pytest.raises(UsageError):
        async with hooked.fault("pggit.comits.insert.before"):
            raise AssertionError("it was armed")


async def test_a_database_that_is_not_enabled_says_what_to_run(
    hooked: AsyncChaos, cluster: Cluster, database: str
) -> None:
    with cluster.connect(database) as owner:
        enable(owner, on=False)
    with pytest.raises(NotEnabledError, match="enabled"):
        async with hooked.fault(COMMITS):
            raise AssertionError("it was armed")


async def test_a_lock_is_held_by_the_callers_own_connection(
    hooked: AsyncChaos, other: AsyncConnection, in_transactions: AsyncConnection
) -> None:
    await other.execute("SET lock_timeout = '50ms'")
    async with hooked.lock("pggit.commits", holder=in_transactions, duration=A_SECOND):
        with pytest.raises(errors.LockNotAvailable):
            await _commit(other)
    await _commit(other)


async def test_a_lock_is_held_by_a_session_that_the_server_starts(
    hooked: AsyncChaos, other: AsyncConnection
) -> None:
    await hooked.conn.execute("CREATE EXTENSION dblink")
    await other.execute("SET lock_timeout = '50ms'")
    async with hooked.lock("pggit.commits"):
        with pytest.raises(errors.LockNotAvailable):
            await _commit(other)
    await _commit(other)


async def test_hooks_are_there_for_the_block_only(conn: AsyncConnection) -> None:
    chaos = AsyncChaos(conn)
    async with chaos.hooks():
        assert await chaos.hooks_installed()
        assert COMMITS in {
            hit.failpoint
            for hit in await chaos.trace("SELECT pggit.commit_changes('main', 'm', NULL)")
        }
    assert not await chaos.hooks_installed()


async def test_hooks_are_counted_by_kind(conn: AsyncConnection) -> None:
    chaos = AsyncChaos(conn)
    counts = {count.kind: count.installed for count in await chaos.install_hooks()}
    assert await chaos.uninstall_hooks() == sum(counts.values()) > 0


async def test_a_corruption_is_there_for_the_block_only(conn: AsyncConnection) -> None:
    chaos = AsyncChaos(conn)
    for _ in range(3):
        await _commit(conn)
    before = await chaos.state_digest()
    digests = await chaos.digest()
    async with chaos.corruption("commit_parent_dangling") as corruption:
        assert corruption.kind == "commit_parent_dangling"
        assert "commit_parent_missing" in {finding.check_id for finding in await chaos.fsck()}
        assert await chaos.digest() != digests
    assert await chaos.state_digest() == before
    assert await chaos.fsck(["commit_parent_missing"], min_severity="error") == []


async def test_drills_sweeps_kinds_and_checks_come_as_rows(hooked: AsyncChaos) -> None:
    for _ in range(3):
        await _commit(hooked.conn)
    drill = await hooked.drill("commit_parent_dangling", seed=1)
    assert drill.failure is None
    kinds = {kind.kind: kind for kind in await hooked.corruption_kinds()}
    known = {check.check_id for check in await hooked.integrity_checks()}
    assert set(kinds[drill.kind].detected_by) <= known
    assert {row.kind for row in await hooked.drill_all("sequence")} <= set(kinds)
    statement = "SELECT pggit.commit_changes('main', 'm', NULL)"
    outcomes = await hooked.sweep(statement, ["40001"])
    assert {outcome.outcome for outcome in outcomes} == {"surfaced"}


async def test_disarming_everything_ends_hooks_and_corruptions_too(hooked: AsyncChaos) -> None:
    await hooked.conn.execute("SELECT pggit_chaos.corrupt('branch_main_renamed')")
    await hooked.conn.execute("SELECT pggit_chaos.arm(%s)", (COMMITS,))
    assert await hooked.disarm_all(everything=True) > 2
    assert not await hooked.hooks_installed()
    assert await hooked.heal_all() == 0
    assert await _armed(hooked.conn) == 0


@pytest.mark.one_version
def test_a_synchronous_connection_is_refused(cluster: Cluster) -> None:
    with cluster.connect() as conn, pytest.raises(UsageError) as caught:
        AsyncChaos(conn)  # type: ignore[arg-type]
    assert "AsyncConnection" in str(caught.value.hint)
