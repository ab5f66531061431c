"""Where the tests' databases come from: one template a session, one clone a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from pggit_chaos.errors import NotApplicableError
from pggit_chaos.plugin.options import Options

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster
    from pggit_chaos.rows import Finding

__all__ = ["Provision", "identity", "make_target", "open_cluster", "put_in_hooks"]

# Autovacuum would come and go between two looks at the same statistics, and a
# test that waits for a deadlock need not wait a second.
SETTINGS = {"autovacuum": "off", "max_connections": "200", "deadlock_timeout": "100ms"}


class Server(Protocol):
    """A server on which databases can be made."""

    def dsn(self, dbname: str) -> str: ...
    def clone(self, name: str, template: str | None) -> None: ...
    def drop(self, name: str) -> None: ...
    def close(self) -> None: ...


class Provision:
    """The databases of one session; a template is made when it is first needed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.server: Server | None = None
        self.findings: frozenset[tuple[str, str]] = frozenset()
        self._templates: dict[bool, str] = {}
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Stop the server, or drop what was made on the named one."""
        if self.server is not None:
            self.server.close()
            self.server = None

    @property
    def cluster(self) -> Cluster:
        """The throwaway server; a database behind a DSN has none."""
        if self.options.dsn is not None:
            raise NotApplicableError("needs a server of its own")
        server = self._server()
        assert isinstance(server, ThrowawayServer)
        return server.cluster

    def make(self, *, hooked: bool) -> str:
        """Make a pristine database; return its conninfo."""
        name = self._clone(self._template(hooked=hooked))
        return self._server().dsn(name)

    def drop(self, conninfo: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        self._server().drop(_dbname(conninfo))

    # -- how it is done --------------------------------------------------

    def _server(self) -> Server:
        if self.server is None:
            self.server = ThrowawayServer(self.options)
        return self.server

    def _clone(self, template: str | None) -> str:
        name = f"pggit_chaos_{next(self._numbers)}"
        self._server().clone(name, template)
        return name

    def _template(self, *, hooked: bool) -> str:
        if hooked not in self._templates:
            make = self._make_hooked if hooked else self._make_plain
            self._templates[hooked] = make()
        return self._templates[hooked]

    def _make_plain(self) -> str:
        name = self._clone(None)
        dsn = self._server().dsn(name)
        make_target(dsn, self.options)
        self.findings = frozenset() if self.options.null else _findings(dsn)
        return name

    def _make_hooked(self) -> str:
        name = self._clone(self._template(hooked=False))
        put_in_hooks(self._server().dsn(name))
        return name


class ThrowawayServer:
    """A server of this session's own."""

    def __init__(self, options: Options) -> None:
        self.cluster = open_cluster(options)
        self._admin: psycopg.Connection[Any] | None = None

    def dsn(self, dbname: str) -> str:
        """Return the conninfo of a database."""
        return self.cluster.dsn(dbname)

    def clone(self, name: str, template: str | None) -> None:
        """Make a database from a template, enabled."""
        from psycopg import sql

        admin = self._administrator()
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        source = sql.Identifier(template or "template1")
        admin.execute(create.format(sql.Identifier(name), source))
        enable = sql.SQL("ALTER DATABASE {} SET pggit_chaos.enabled = on")
        admin.execute(enable.format(sql.Identifier(name)))

    def drop(self, name: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        from psycopg import sql

        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._administrator().execute(drop.format(sql.Identifier(name)))

    def close(self) -> None:
        """Stop the server and remove it."""
        if self._admin is not None:
            self._admin.close()
        self.cluster.close()

    def _administrator(self) -> psycopg.Connection[Any]:
        """Return a living connection: a test may have crashed the server."""
        import psycopg

        if not self.cluster.running:
            self.cluster.start()
        if self._admin is not None:
            try:
                self._admin.execute("SELECT")
            except psycopg.OperationalError:
                self._admin.close()
                self._admin = None
        if self._admin is None:
            self._admin = self.cluster.connect(autocommit=True)
        return self._admin


def open_cluster(options: Options, **arguments: Any) -> Cluster:
    """Return a running throwaway server, to be closed by the caller."""
    from pggit_chaos import binaries
    from pggit_chaos.cluster import Cluster

    settings = {**SETTINGS, **(arguments.pop("settings", None) or {})}
    programs = arguments.pop("programs", None) or binaries.find(options.pg_bindir)
    return Cluster(programs=programs, settings=settings, **arguments).__enter__()


def make_target(dsn: str, options: Options) -> None:
    """Put the chosen pgGit and the extension into an empty database."""
    from pggit_chaos import extension, pggit_source, reference
    from pggit_chaos.target import Target

    if options.pggit_source is not None:
        pggit_source.install(dsn, options.pggit_source)
    with _connection(dsn) as conn:
        if options.null:
            conn.execute("CREATE SCHEMA pggit")
        elif options.pggit_source is None:
            reference.load(conn)
        if options.sabotage is not None:
            _sabotage(conn, options.sabotage)
        extension.install(conn)
        if not options.null:
            # Released pgGits fail at their first branch; that is known, and
            # would fail every test that makes one.
            Target(conn).workload(steps=0)


def put_in_hooks(dsn: str) -> None:
    """Enable the extension in a database and install the hooks."""
    from pggit_chaos import extension
    from pggit_chaos.chaos import Chaos

    with _connection(dsn) as conn:
        extension.enable(conn)
        Chaos(conn).install_hooks()


def _sabotage(conn: psycopg.Connection[Any], name: str) -> None:
    from importlib import import_module

    sabotage = import_module("pggit_chaos.sabotage")
    sabotage.apply(conn, sabotage.find(name))


def _findings(dsn: str) -> frozenset[tuple[str, str]]:
    from pggit_chaos.chaos import Chaos

    with _connection(dsn) as conn:
        return frozenset(map(identity, Chaos(conn).fsck()))


def identity(finding: Finding) -> tuple[str, str]:
    """Return by what a finding is known again."""
    return finding.check_id, finding.row_identity


@contextmanager
def _connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as conn:
        yield conn


def _dbname(conninfo: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    return str(conninfo_to_dict(conninfo)["dbname"])
