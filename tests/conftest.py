"""Fixtures that every test may use, and the options that choose what they run on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from nightly import NIGHTLY
from servers.fleet import PGTAP, VERSIONS, Fleet, bindir

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster

_FLEET = pytest.StashKey[Fleet]()

# Folders of which each test meets the server through SQL that every version has.
ANY_WILL_DO = {"benchmarks", "driver", "engine", "reference", "sqlalchemy"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pggit_chaos")  # --chaos-pggit-source and others are the plugin's
    group.addoption(
        "--postgres",
        action="append",
        choices=VERSIONS,
        help="run on this major version only (may be repeated); "
        "default: $PGGIT_CHAOS_POSTGRES, separated by commas, or all",
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So it is for what a script runs in the background, and would be for what we run.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_FLEET] = Fleet()
    options = config.option
    if options.chaos_pg_bindir is None and options.chaos_dsn is None:
        # The suite runs on one version, the newest: it is pgGit that it is about.
        options.chaos_pg_bindir = bindir(_versions(config)[-1])
        options.chaos_extension_dir.append(PGTAP)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_FLEET].close()


def _versions(config: pytest.Config) -> list[str]:
    named = os.environ.get("PGGIT_CHAOS_POSTGRES", "")
    versions = config.getoption("--postgres") or [v for v in named.split(",") if v]
    unknown = set(versions) - set(VERSIONS)
    if unknown:
        raise pytest.UsageError(f"PGGIT_CHAOS_POSTGRES: unknown version {sorted(unknown)}")
    return versions or list(VERSIONS)


def _versions_for(metafunc: pytest.Metafunc) -> list[str]:
    """Leave out by day the versions that a test can do without."""
    versions = _versions(metafunc.config)
    test = metafunc.definition
    if test.get_closest_marker("one_version"):
        return versions[-1:]
    if versions != list(VERSIONS) or NIGHTLY:
        return versions
    if test.get_closest_marker("ends_will_do"):
        return [versions[0], versions[-1]]
    if ANY_WILL_DO & set(test.path.parts):
        # By its name: the same each time, and of all together each version has its share.
        return [versions[crc32(test.name.encode()) % len(versions)]]
    return versions


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_version" in metafunc.fixturenames:
        versions = _versions_for(metafunc)
        ids = [f"pg{version}" for version in versions]
        metafunc.parametrize("server_version", versions, ids=ids, scope="session", indirect=True)
    if "checkout" in metafunc.fixturenames:
        sources = metafunc.config.getoption("--chaos-pggit-source")
        ids = [source.name for source in sources] or ["none"]
        metafunc.parametrize("checkout", sources or [None], ids=ids, scope="session", indirect=True)


@pytest.fixture(scope="session")
def server_version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    return version


@pytest.fixture(scope="session")
def checkout(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip("not applicable: no --chaos-pggit-source was given")
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def fleet(pytestconfig: pytest.Config) -> Fleet:
    return pytestconfig.stash[_FLEET]


@pytest.fixture(scope="session")
def cluster(fleet: Fleet, server_version: str) -> Cluster:
    """A running server, of each version in turn.  Shared: leave it as it was."""
    return fleet.cluster(server_version)


@pytest.fixture
def database(fleet: Fleet, server_version: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a fresh database with the reference target and the extension, enabled.

    Where a test asks for ``hooked`` too, hooks are in place.
    """
    name = fleet.reference(server_version, hooked="hooked" in request.fixturenames)
    yield name
    fleet.drop(server_version, [name])


@pytest.fixture
def bare_database(fleet: Fleet, server_version: str) -> Iterator[str]:
    """The name of a fresh database without pgGit and without the extension."""
    name = fleet.bare(server_version)
    yield name
    fleet.drop(server_version, [name])


@pytest.fixture
def conn(cluster: Cluster, database: str) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to ``database``."""
    with cluster.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def hooked(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """``conn``, and in ``database`` there are hooks."""
    return conn


@pytest.fixture
def real_pggit(
    cluster: Cluster, fleet: Fleet, server_version: str, checkout: Path
) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to a fresh database with a real pgGit and the extension, enabled."""
    name = fleet.real(server_version, checkout)
    with cluster.connect(name, autocommit=True) as connection:
        yield connection
    fleet.drop(server_version, [name])


@pytest.fixture
def tap_database(fleet: Fleet, server_version: str) -> Iterator[str]:
    """What pgTAP files run in here: the plugin has one version, these tests have them all."""
    name = fleet.reference(server_version, pgtap=True)
    options = "-c search_path=public,tap -c client_min_messages=warning"
    yield fleet.cluster(server_version).dsn(name, options=options)
    fleet.drop(server_version, [name])
