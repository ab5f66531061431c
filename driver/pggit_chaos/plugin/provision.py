"""Where the tests' databases come from: one template a session, one clone a test or for many."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from pggit_chaos import sabotage
from pggit_chaos.errors import ChaosError, NotApplicableError, UsageError
from pggit_chaos.plugin import servers
from pggit_chaos.plugin.options import Options
from pggit_chaos.plugin.servers import NamedServer, Server, ThrowawayServer
from pggit_chaos.plugin.shared_database import SharedDatabase

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster
    from pggit_chaos.rows import Finding

__all__ = ["TAP_SCHEMA", "Kind", "Provision", "check", "identity", "make_target", "put_in_hooks"]

TAP_SCHEMA: Final = "tap"

Kind = Literal["plain", "hooked", "tap"]


class Provision:
    """The databases of one session; a template is made when it is first needed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.server: Server | None = None
        self.findings: frozenset[tuple[str, str]] = frozenset()
        self._templates: dict[Kind, str] = {}
        self._shared: dict[Kind, SharedDatabase] = {}
        self._failures: dict[Kind, ChaosError] = {}
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Stop the server, or drop what was made on the named one."""
        for shared in self._shared.values():
            shared.close()
        self._shared.clear()
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

    def make(self, kind: Kind = "plain") -> str:
        """Make a pristine database; return its conninfo."""
        template = self._template(kind)
        name = self._server().clone(template, next(self._numbers))
        self._server().prepare(template, next(self._numbers))
        return self._server().dsn(name)

    def share(self, kind: Kind = "plain") -> SharedDatabase:
        """Return the database of tests that are rolled back; made anew once one has spoilt it."""
        shared = self._shared.get(kind)
        if shared is None or shared.spoilt:
            if shared is not None:
                shared.close()
                self.drop(shared.conninfo)
            shared = self._shared[kind] = SharedDatabase(self.make(kind))
        return shared

    def drop(self, conninfo: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        self._server().drop(_dbname(conninfo))

    # -- how it is done --------------------------------------------------

    def _server(self) -> Server:
        if self.server is None:
            if self.options.dsn is None:
                self.server = ThrowawayServer(servers.open_cluster(self.options))
            else:
                self.server = NamedServer(self.options)
        return self.server

    def _template(self, kind: Kind) -> str:
        """Return the template's name; where it cannot be made, that is tried only once."""
        if kind in self._failures:
            raise self._failures[kind].with_traceback(None)
        if kind not in self._templates:
            try:
                self._templates[kind] = self._make_template(kind)
            except ChaosError as error:
                for note in (error.detail, error.hint):
                    if note is not None:
                        error.add_note(note)
                self._failures[kind] = error
                raise
        return self._templates[kind]

    def _make_template(self, kind: Kind) -> str:
        server = self._server()
        if kind == "plain":
            name = server.make(next(self._numbers))
            make_target(server.dsn(name), self.options)
            self.findings = frozenset() if self.options.null else _findings(server.dsn(name))
            return name
        name = server.clone(self._template("plain"), next(self._numbers))
        put_in = put_in_hooks if kind == "hooked" else put_in_pgtap
        put_in(server.dsn(name))
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
    from pggit_chaos import binaries, pggit_source, reference
    from pggit_chaos.target import Target

    if options.pggit_source is not None:
        programs = binaries.find(options.pg_bindir)
        pggit_source.install(dsn, options.pggit_source, programs=programs)
    with _connection(dsn) as conn:
        if options.null:
            conn.execute("CREATE SCHEMA pggit")
        elif options.reference:
            reference.load(conn)
        if options.sabotage is not None:
            sabotage.apply(conn, sabotage.find(options.sabotage))
        _add_extension(conn, "dblink", "public")  # for lock holds
        _require_extension(conn)
        if not options.null:
            # Released pgGits fail at their first branch; that is known, and
            # would fail every test that makes one.
            Target(conn).workload(steps=0)


def _require_extension(conn: psycopg.Connection[Any]) -> None:
    """Have this version of the extension in a database; what a DSN names may have another."""
    from pggit_chaos import extension

    present = extension.installation(conn)
    if present is None:
        extension.install(conn)
    elif present.version not in (None, extension.version()):
        raise UsageError(
            f"the database has pggit_chaos {present.version}, and this is {extension.version()}",
            hint="ALTER EXTENSION pggit_chaos UPDATE;",
        )


def put_in_hooks(dsn: str) -> None:
    """Enable the extension in a database and install the hooks."""
    from pggit_chaos import extension
    from pggit_chaos.chaos import Chaos

    with _connection(dsn) as conn:
        extension.enable(conn)
        Chaos(conn).install_hooks()


def put_in_pgtap(dsn: str) -> None:
    """Create extension pgtap in a database; raise NotApplicableError where there is none."""
    with _connection(dsn) as conn:
        if not _add_extension(conn, "pgtap", TAP_SCHEMA):
            raise NotApplicableError(
                "the server has no extension pgtap; name the directory of its files "
                "by --chaos-extension-dir, or install it there"
            )


def _add_extension(conn: psycopg.Connection[Any], name: str, schema: str) -> bool:
    """Create an extension where the server has its files; answer whether it is there."""
    from psycopg import sql

    available = "SELECT FROM pg_available_extensions WHERE name = %s"
    if conn.execute(available, (name,)).fetchone() is None:
        return False
    create = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}")
    with conn.transaction():
        # pgGit would track what is neither its own nor the test's.
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        conn.execute(create.format(sql.Identifier(name), sql.Identifier(schema)))
    return True


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
