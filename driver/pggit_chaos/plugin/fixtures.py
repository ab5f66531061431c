"""The fixtures.  A test's database is a clone that is dropped when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pggit_chaos.plugin import servers
from pggit_chaos.plugin.experiment import EXPERIMENT, Experiment
from pggit_chaos.plugin.options import Options
from pggit_chaos.plugin.provision import Kind, Provision, make_target, put_in_hooks

if TYPE_CHECKING:
    import asyncio

    import psycopg
    import psycopg_pool

    from pggit_chaos.chaos import Chaos
    from pggit_chaos.cluster import Cluster
    from pggit_chaos.deadlock import DeadlockSetup
    from pggit_chaos.injector import ChaosInjector
    from pggit_chaos.load import LoadGenerator
    from pggit_chaos.monitor import TransactionMonitor
    from pggit_chaos.target import Target

DATABASE = "pggit"
POOL_SIZE = 4


# -- servers and databases -----------------------------------------------


@pytest.fixture(scope="session")
def chaos_provision(pytestconfig: pytest.Config) -> Iterator[Provision]:
    """Where databases come from; tests take ``chaos_database`` instead."""
    if len(pytestconfig.getoption("--chaos-pggit-source")) > 1:
        raise pytest.UsageError("--chaos-pggit-source: these tests take one at a time")
    provision = Provision(Options.of(pytestconfig))
    yield provision
    provision.close()


@pytest.fixture(scope="session")
def chaos_cluster(chaos_provision: Provision) -> Cluster:
    """The throwaway server of this session: it may be crashed, it may not be reconfigured."""
    return chaos_provision.cluster


@pytest.fixture
def fresh_cluster(chaos_provision: Provision) -> Iterator[Callable[..., Cluster]]:
    """A factory of servers for this test alone, with pgGit in database ``pggit``.

    Takes what ``Cluster`` takes: ``settings``, ``initdb_options``, ``extensions``.
    """
    options = chaos_provision.options
    if options.dsn is not None:
        pytest.skip("not applicable: needs a server of its own")
    with ExitStack() as stack:

        def make(**arguments: Any) -> Cluster:
            cluster = servers.open_cluster(options, **arguments)
            stack.callback(cluster.close)
            cluster.create_database(DATABASE)
            make_target(cluster.dsn(DATABASE), options)
            put_in_hooks(cluster.dsn(DATABASE))
            return cluster

        yield make


@pytest.fixture
def chaos_database(request: pytest.FixtureRequest, chaos_provision: Provision) -> Iterator[str]:
    """The conninfo of this test's own pristine database: pgGit and the extension, enabled.

    Hooks are in it if the test asks for ``chaos``.  A test that is marked ``rolled_back``
    shares it with others: what it has of its own is a transaction.
    """
    kind = _kind_for(request)
    with ExitStack() as stack:
        conn = None
        if request.node.get_closest_marker("rolled_back"):
            shared = chaos_provision.share(kind)
            conninfo = shared.conninfo
            conn = stack.enter_context(shared.transaction())
        else:
            conninfo = chaos_provision.make(kind)
            stack.callback(chaos_provision.drop, conninfo)
        request.node.stash[EXPERIMENT] = Experiment(
            conninfo=conninfo,
            conn=conn,
            known_findings=chaos_provision.findings,
            hooked=kind == "hooked",
        )
        yield conninfo


def _require_own_database(request: pytest.FixtureRequest) -> None:
    """Fail a test that would write to a database which it shares, over other connections."""
    if request.node.get_closest_marker("rolled_back"):
        taker = request.fixturename
        reason = f"a test that is marked rolled_back has one connection: {taker} takes others"
        pytest.fail(reason, pytrace=False)


def _kind_for(request: pytest.FixtureRequest) -> Kind:
    if "tap_database" in request.fixturenames:
        return "tap"
    return "hooked" if "chaos" in request.fixturenames else "plain"


# -- connections ---------------------------------------------------------


@pytest.fixture
def chaos_connect(
    request: pytest.FixtureRequest, chaos_database: str
) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """A factory of connections to this test's database: ``chaos_connect(autocommit=False)``.

    A test that is marked ``rolled_back`` gets the same one each time.
    """
    import psycopg

    experiment = request.node.stash[EXPERIMENT]
    if experiment.conn is not None:
        yield lambda **_: experiment.conn
        return
    with ExitStack() as stack:

        def connect(*, autocommit: bool = False, **parameters: Any) -> psycopg.Connection[Any]:
            conn = psycopg.connect(chaos_database, autocommit=autocommit, **parameters)
            stack.callback(_end, conn)
            return conn

        yield connect


@pytest.fixture
def sync_conn(chaos_connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """A connection to this test's database, not in autocommit mode."""
    return chaos_connect()


@pytest.fixture
def async_conn(
    request: pytest.FixtureRequest, chaos_database: str, async_runner: asyncio.Runner
) -> Iterator[psycopg.AsyncConnection[Any]]:
    """An asynchronous connection to this test's database, not in autocommit mode."""
    _require_own_database(request)
    import psycopg

    conn = async_runner.run(psycopg.AsyncConnection.connect(chaos_database))
    yield conn
    async_runner.run(conn.close())


@pytest.fixture
def conn_pool(
    request: pytest.FixtureRequest, chaos_database: str
) -> Iterator[psycopg_pool.ConnectionPool[Any]]:
    """A pool of connections, of four at most unless it is parametrized with another number."""
    _require_own_database(request)
    from psycopg_pool import ConnectionPool

    size = getattr(request, "param", POOL_SIZE)
    with ConnectionPool(
        chaos_database, min_size=1, max_size=size, check=ConnectionPool.check_connection
    ) as pool:
        yield pool


@pytest.fixture
def async_conn_pool(
    request: pytest.FixtureRequest, chaos_database: str, async_runner: asyncio.Runner
) -> Iterator[psycopg_pool.AsyncConnectionPool[Any]]:
    """A pool of asynchronous connections, as ``conn_pool``."""
    _require_own_database(request)
    from psycopg_pool import AsyncConnectionPool

    async def open_pool() -> AsyncConnectionPool[Any]:
        pool = AsyncConnectionPool(
            chaos_database,
            min_size=1,
            max_size=getattr(request, "param", POOL_SIZE),
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        await pool.open(wait=True)
        return pool

    pool = async_runner.run(open_pool())
    yield pool
    async_runner.run(pool.close())


# -- pgGit and chaos -----------------------------------------------------


@pytest.fixture
def pggit(chaos_connect: Callable[..., psycopg.Connection[Any]]) -> Target:
    """What this pgGit can do, over an autocommit connection."""
    from pggit_chaos.target import Target

    return Target(chaos_connect(autocommit=True))


@pytest.fixture
def chaos(request: pytest.FixtureRequest, pggit: Target) -> Chaos:
    """Faults, over the connection of ``pggit``; hooks are in."""
    from pggit_chaos.plugin.recording import RecordingChaos

    experiment = request.node.stash[EXPERIMENT]
    chaos = RecordingChaos(pggit.conn, experiment)
    if not experiment.hooked:  # the test came by it through getfixturevalue()
        chaos.install_hooks()
    return chaos


@pytest.fixture
def chaos_injector(
    sync_conn: psycopg.Connection[Any], chaos_connect: Callable[..., psycopg.Connection[Any]]
) -> ChaosInjector:
    """Delays, lost connections and snapshots; the victim is ``sync_conn``."""
    from pggit_chaos.injector import ChaosInjector

    return ChaosInjector(sync_conn, chaos_connect(autocommit=True))


@pytest.fixture
def transaction_monitor(
    chaos_connect: Callable[..., psycopg.Connection[Any]],
) -> TransactionMonitor:
    """Who holds and who waits for which lock in this test's database."""
    from pggit_chaos.monitor import TransactionMonitor

    return TransactionMonitor(chaos_connect(autocommit=True))


@pytest.fixture
def load_generator(
    request: pytest.FixtureRequest, chaos_connect: Callable[..., psycopg.Connection[Any]]
) -> LoadGenerator:
    """Many workers over connections of their own."""
    _require_own_database(request)
    from pggit_chaos.load import LoadGenerator

    return LoadGenerator(chaos_connect)


@pytest.fixture
def deadlock_setup(
    request: pytest.FixtureRequest, chaos_connect: Callable[..., psycopg.Connection[Any]]
) -> DeadlockSetup:
    """Two sessions that really deadlock."""
    _require_own_database(request)
    from pggit_chaos.deadlock import DeadlockSetup

    return DeadlockSetup(chaos_connect)


# -- places to work in ---------------------------------------------------


@pytest.fixture
def isolated_schema(sync_conn: psycopg.Connection[Any]) -> str:
    """The name of a schema of this test's own, first on the search_path of ``sync_conn``."""
    for statement in _SCHEMA:
        sync_conn.execute(statement)
    sync_conn.commit()
    return SCHEMA


@pytest.fixture
def async_isolated_schema(
    async_conn: psycopg.AsyncConnection[Any], async_runner: asyncio.Runner
) -> str:
    """As ``isolated_schema``, for ``async_conn``."""
    async_runner.run(_execute(async_conn, _SCHEMA))
    return SCHEMA


@pytest.fixture
def temp_table(sync_conn: psycopg.Connection[Any]) -> str:
    """The name of a temporary table (id integer, data text) of ``sync_conn``."""
    for statement in _TABLE:
        sync_conn.execute(statement)
    sync_conn.commit()
    return TABLE


@pytest.fixture
def async_temp_table(async_conn: psycopg.AsyncConnection[Any], async_runner: asyncio.Runner) -> str:
    """As ``temp_table``, for ``async_conn``."""
    async_runner.run(_execute(async_conn, _TABLE))
    return TABLE


SCHEMA = "chaos_schema"
TABLE = "chaos_temp"
_SCHEMA = ("CREATE SCHEMA chaos_schema", "SET search_path = chaos_schema, public")
_TABLE = ("CREATE TEMPORARY TABLE chaos_temp (id integer PRIMARY KEY, data text)",)


async def _execute(conn: psycopg.AsyncConnection[Any], statements: tuple[str, ...]) -> None:
    for statement in statements:
        await conn.execute(statement.encode())
    await conn.commit()


def _end(conn: psycopg.Connection[Any]) -> None:
    """Close a connection; cancel first what it is busy with."""
    from psycopg.pq import TransactionStatus

    if conn.info.transaction_status == TransactionStatus.ACTIVE:
        conn.cancel_safe()
    conn.close()
