"""Where the tests' databases come from: one template a session, one clone a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pggit_chaos import sabotage
from pggit_chaos.errors import ChaosError, NotApplicableError
from pggit_chaos.plugin import servers
from pggit_chaos.plugin.options import Options
from pggit_chaos.plugin.servers import NamedServer, Server, ThrowawayServer

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster
    from pggit_chaos.rows import Finding

__all__ = ["Provision", "check", "identity", "make_target", "put_in_hooks"]


class Provision:
    """The databases of one session; a template is made when it is first needed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.server: Server | None = None
        self.findings: frozenset[tuple[str, str]] = frozenset()
        self._templates: dict[bool, str] = {}
        self._failure: ChaosError | None = None
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
        template = self._template(hooked=hooked)
        return self._server().dsn(self._server().clone(template, next(self._numbers)))

    def drop(self, conninfo: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        self._server().drop(_dbname(conninfo))

    # -- how it is done --------------------------------------------------

    def _server(self) -> Server:
        if self.server is None:
            kind = ThrowawayServer if self.options.dsn is None else NamedServer
            self.server = kind(self.options)
        return self.server

    def _template(self, *, hooked: bool) -> str:
        """Return the template's name; where it cannot be made, that is tried only once."""
        if self._failure is not None:
            raise self._failure
        if hooked not in self._templates:
            make = self._make_hooked if hooked else self._make_plain
            try:
                self._templates[hooked] = make()
            except ChaosError as error:
                for note in (error.detail, error.hint):
                    if note is not None:
                        error.add_note(note)
                self._failure = error
                raise
        return self._templates[hooked]

    def _make_plain(self) -> str:
        name = self._server().make(next(self._numbers))
        dsn = self._server().dsn(name)
        make_target(dsn, self.options)
        self.findings = frozenset() if self.options.null else _findings(dsn)
        return name

    def _make_hooked(self) -> str:
        template = self._template(hooked=False)
        name = self._server().clone(template, next(self._numbers))
        put_in_hooks(self._server().dsn(name))
        return name


def check(options: Options) -> None:
    """Raise the ChaosError that would be met later, before anything is started."""
    from pggit_chaos import binaries, pggit_source

    if options.dsn is not None:
        servers.check(options.dsn)
        return
    binaries.find(options.pg_bindir)
    if options.pggit_source is not None:
        pggit_source.installer_files(options.pggit_source)
    if options.sabotage is not None:
        sabotage.find(options.sabotage)


def make_target(dsn: str, options: Options) -> None:
    """Put the chosen pgGit and the extension into a database, where they are not there yet."""
    from pggit_chaos import extension, pggit_source, reference
    from pggit_chaos.target import Target

    if options.pggit_source is not None:
        pggit_source.install(dsn, options.pggit_source)
    with _connection(dsn) as conn:
        if options.null:
            conn.execute("CREATE SCHEMA pggit")
        elif options.reference:
            reference.load(conn)
        if options.sabotage is not None:
            sabotage.apply(conn, sabotage.find(options.sabotage))
        _add_dblink(conn)
        if extension.installation(conn) is None:
            extension.install(conn)
        if not options.null:
            # Released pgGits fail at their first branch; that is known, and
            # would fail every test that makes one.
            Target(conn).workload(steps=0)


def _add_dblink(conn: psycopg.Connection[Any]) -> None:
    """Let lock holds have a session, where the server can: dblink is in most packages."""
    available = "SELECT FROM pg_available_extensions WHERE name = 'dblink'"
    if conn.execute(available).fetchone() is None:
        return
    with conn.transaction():
        # pgGit would track what is not the test's.
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("CREATE EXTENSION IF NOT EXISTS dblink")


def put_in_hooks(dsn: str) -> None:
    """Enable the extension in a database and install the hooks."""
    from pggit_chaos import extension
    from pggit_chaos.chaos import Chaos

    with _connection(dsn) as conn:
        extension.enable(conn)
        Chaos(conn).install_hooks()


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
