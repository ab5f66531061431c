"""Fixtures that every test may use, and the options that choose what they run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from servers import tap
from servers.fleet import VERSIONS, Fleet, bindir

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster

_FLEET = pytest.StashKey[Fleet]()


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
    config.stash[_FLEET] = Fleet()
    options = config.option
    if options.chaos_pg_bindir is None and options.chaos_dsn is None:
        # The suite runs on one version, the newest: it is pgGit that it is about.
        options.chaos_pg_bindir = bindir(_versions(config)[-1])


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_FLEET].close()


def _versions(config: pytest.Config) -> list[str]:
    named = os.environ.get("PGGIT_CHAOS_POSTGRES", "")
    versions = config.getoption("--postgres") or [v for v in named.split(",") if v]
    unknown = set(versions) - set(VERSIONS)
    if unknown:
        raise pytest.UsageError(f"PGGIT_CHAOS_POSTGRES: unknown version {sorted(unknown)}")
    return versions or list(VERSIONS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_version" in metafunc.fixturenames:
        versions = _versions(metafunc.config)
        if metafunc.definition.get_closest_marker("one_version"):
            versions = versions[-1:]
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
def database(fleet: Fleet, server_version: str) -> Iterator[str]:
    """The name of a fresh database with the reference target and the extension, enabled."""
    name = fleet.reference(server_version)
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
def real_pggit(
    cluster: Cluster, fleet: Fleet, server_version: str, checkout: Path
) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to a fresh database with a real pgGit and the extension, enabled."""
    name = fleet.real(server_version, checkout)
    with cluster.connect(name, autocommit=True) as connection:
        yield connection
    fleet.drop(server_version, [name])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name.endswith(".pgtap.sql"):
        return TapFile.from_parent(parent, path=file_path)
    return None


class TapFile(pytest.File):
    """A pgTAP file: one item a PostgreSQL version."""

    def collect(self) -> Iterator[pytest.Item]:
        for version in _versions(self.config):
            yield TapItem.from_parent(self, name=f"pg{version}", version=version)


class TapError(Exception):
    """A pgTAP file that failed, with all that it said."""


class TapItem(pytest.Item):
    """A pgTAP file on one server, in a database and over a connection of its own."""

    def __init__(self, *, version: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._version = version

    def runtest(self) -> None:
        fleet = self.config.stash[_FLEET]
        name = fleet.reference(self._version, pgtap=True)
        options = {"options": "-c search_path=public,tap -c client_min_messages=warning"}
        try:
            with fleet.cluster(self._version).connect(name, autocommit=True, **options) as conn:
                report = tap.run(conn, self.path.read_bytes())
        finally:
            fleet.drop(self._version, [name])
        if report.skipped is not None:
            pytest.skip(report.skipped)
        if report.failures:
            raise TapError("\n".join([*report.failures, "", "all of it:", *report.lines]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, TapError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}[{self.name}]"
