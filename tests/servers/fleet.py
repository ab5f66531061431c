"""One throwaway server a PostgreSQL version, with databases to clone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from pggit_chaos import binaries, extension, pggit_source, reference
from pggit_chaos.binaries import Binaries
from pggit_chaos.cluster import Cluster
from pggit_chaos.plugin.provision import put_in_hooks
from pggit_chaos.plugin.servers import ThrowawayServer

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
PGTAP = CACHE / "pgtap/usr/share/postgresql/15/extension"
PG_PROVE = CACHE / "pgtap/usr/bin/pg_prove"
VERSIONS = ("15", "16", "17", "18")

# Autovacuum would come and go between two looks at the same statistics.
SETTINGS = {"autovacuum": "off", "max_connections": "120"}


def bindir(version: str) -> Path:
    """Return where the programs of a major version are once they are fetched."""
    return CACHE / f"postgres/node_modules/pg{version}/native/bin"


class MissingServerError(Exception):
    """A version that must be tested cannot be had; a failure, never a skip."""


class Fleet:
    """Starts each server when it is first asked for and keeps it until ``close``."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[str, ThrowawayServer] = {}
        self._templates: set[tuple[str, str]] = set()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Stop every server."""
        self._stack.close()

    def programs(self, version: str) -> Binaries:
        """Return the server programs of a major version."""
        missing = [path for path in (bindir(version), PGTAP) if not path.is_dir()]
        if missing:
            raise MissingServerError(f'"{missing[0]}" is not there; run: make postgres')
        return binaries.find(bindir(version))

    def cluster(self, version: str) -> Cluster:
        """Return the running server of a major version."""
        return self._server(version).cluster

    def bare(self, version: str) -> str:
        """Return the name of a fresh database with nothing in it."""
        return self.cluster(version).create_database(f"bare_{next(self._numbers)}")

    def reference(self, version: str, *, pgtap: bool = False, hooked: bool = False) -> str:
        """Return the name of a fresh database with the reference target, enabled."""
        template = "_".join(["reference", *["pgtap"] * pgtap, *["hooked"] * hooked])
        if self._is_new(version, template):
            cluster = self.cluster(version)
            cluster.create_database(template)
            with cluster.connect(template) as conn:
                reference.load(conn)
                extension.install(conn)
                if pgtap:
                    conn.execute("SET LOCAL session_replication_role = replica")
                    conn.execute("CREATE SCHEMA tap; CREATE EXTENSION pgtap SCHEMA tap")
            if hooked:
                put_in_hooks(cluster.dsn(template))
        return self.clone(version, template)

    def real(self, version: str, source: Path) -> str:
        """Return the name of a fresh database with the pgGit of a checkout, enabled."""
        template = f"real {source}"[-63:]
        if self._is_new(version, template):
            cluster = self.cluster(version)
            cluster.create_database(template)
            pggit_source.install(cluster.dsn(template), source)
            with cluster.connect(template) as conn:
                extension.install(conn)
        return self.clone(version, template)

    def clone(self, version: str, template: str) -> str:
        """Return the name of a fresh copy of a database that came from here, enabled."""
        server = self._server(version)
        name = server.clone(template, next(self._numbers))
        server.prepare(template, next(self._numbers))
        return name

    def drop(self, version: str, databases: Iterable[str]) -> None:
        """Drop databases that came from here."""
        for database in databases:
            self._server(version).drop(database)

    def _server(self, version: str) -> ThrowawayServer:
        if version not in self._servers:
            cluster = Cluster(
                programs=self.programs(version), settings=SETTINGS, extensions=[PGTAP]
            )
            self._servers[version] = ThrowawayServer(cluster.__enter__())
            self._stack.callback(self._servers[version].close)
        return self._servers[version]

    def _is_new(self, version: str, template: str) -> bool:
        known = (version, template) in self._templates
        self._templates.add((version, template))
        return not known
