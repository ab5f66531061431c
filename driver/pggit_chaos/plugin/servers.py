"""The two kinds of servers on which tests get their databases: thrown away, or named by a DSN."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, LiteralString, Protocol

from pggit_chaos.errors import (
    NotInstalledError,
    PrivilegeError,
    ServerError,
    UsageError,
)
from pggit_chaos.plugin.housekeeping import Housekeeper
from pggit_chaos.plugin.options import Options

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster

__all__ = ["NamedServer", "Server", "ThrowawayServer", "check", "open_cluster"]

# Autovacuum would come and go between two looks at the same statistics, and a
# test that waits for a deadlock need not wait a second.
SETTINGS: Final = {"autovacuum": "off", "max_connections": "200", "deadlock_timeout": "100ms"}

CONNECT_TIMEOUT: Final = 10  # seconds
RECOVERY_TIMEOUT: Final = 30.0  # seconds
# What we make on a server of somebody else's has a name that shows whose it is.
_OURS = re.compile(r"pggit_chaos_(?P<token>[0-9a-f]{8})_\d+")
_BY_FILES: Final = "STRATEGY file_copy"
_LOCK_CLASS: Final = 1346848579  # 'PGCC': keeps our advisory locks apart from others'

_DATABASES = """
SELECT datname FROM pg_database WHERE datname LIKE 'pggit\\_chaos\\_%'
   AND pg_has_role(datdba, 'MEMBER')
"""
_RIGHTS = """
SELECT current_user, rolsuper OR rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user
"""
_HAS_PGGIT = "SELECT FROM pg_namespace WHERE nspname = 'pggit'"
_OTHERS = """
SELECT count(*), string_agg(DISTINCT format('%s (%s, pid %s)', usename,
           COALESCE(NULLIF(application_name, ''), 'no name'), pid), ', ')
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Server(Protocol):
    """A server on which databases can be made."""

    def dsn(self, dbname: str) -> str:
        """Return the conninfo of a database."""

    def make(self, number: int) -> str:
        """Make the database that pgGit and the extension are to be put into."""

    def clone(self, template: str, number: int) -> str:
        """Make a copy of a database that was made here, enabled; return its name."""

    def prepare(self, template: str, number: int) -> None:
        """Expect that another copy will be asked for."""

    def drop(self, name: str) -> None:
        """Drop a database, and with it whoever is still connected."""

    def close(self) -> None:
        """Leave nothing behind."""


class ThrowawayServer:
    """A server of this session's own, which ends with this."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._housekeeper = Housekeeper(self.cluster)
        self._admin: psycopg.Connection[Any] | None = None

    def dsn(self, dbname: str) -> str:
        """Return the conninfo of a database."""
        return self.cluster.dsn(dbname)

    def make(self, number: int) -> str:
        """Make an empty database."""
        return self.clone("template1", number)

    def clone(self, template: str, number: int) -> str:
        """Copy a database by its files; nothing is written to a disk that must be waited for."""
        admin = self._administrator()  # whatever comes, the server is there
        name = self._housekeeper.take(template)
        if name is None:
            name = f"chaos_{number}"
            _create(admin, name, template, _BY_FILES)
        return name

    def prepare(self, template: str, number: int) -> None:
        """Have the next copy made beside the test that got this one."""
        self._housekeeper.copy(
            template, f"chaos_{number}", lambda conn, name: _create(conn, name, template, _BY_FILES)
        )

    def drop(self, name: str) -> None:
        """Have a database dropped beside the next test, and with it whoever is still connected."""
        self._housekeeper.drop(name, _drop)

    def close(self) -> None:
        """Stop the server and remove it."""
        self._housekeeper.close()
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
            self._admin = self._connect()
        return self._admin

    def _connect(self) -> psycopg.Connection[Any]:
        """Connect, when the server has recovered if that is what it does."""
        import psycopg

        deadline = time.monotonic() + RECOVERY_TIMEOUT
        while True:
            try:
                return self.cluster.connect(autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


class NamedServer:
    """The server of a DSN.  Its database is copied, and never written to.

    The copies carry a token in their names whose advisory lock this session
    holds: what a session left that was killed, the next one removes.
    """

    def __init__(self, options: Options) -> None:
        assert options.dsn is not None
        self._dsn = options.dsn
        # Whoever else is connected is met when the copy is made: it waits for a
        # while, and those of other workers of xdist come and go.
        with _connect(self._dsn) as conn:
            self._source = _copyable(conn)
        self._token = secrets.token_hex(4)
        self._made: set[str] = set()
        self._admin = _connect(self._dsn, dbname="postgres")
        self._admin.execute("SELECT pg_advisory_lock(%s, %s)", _lock_of(self._token))
        self._remove_abandoned()

    def dsn(self, dbname: str) -> str:
        """Return the conninfo of a database."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(self._dsn, dbname=dbname)

    def make(self, number: int) -> str:
        """Copy the database of the DSN."""
        import psycopg

        try:
            return self.clone(self._source, number)
        except psycopg.errors.ObjectInUse as error:
            raise _in_use(self._source, error.diag.message_detail) from error

    def clone(self, template: str, number: int) -> str:
        """Copy a database as the server does it by default, which spares it checkpoints."""
        name = f"pggit_chaos_{self._token}_{number}"
        self._made.add(name)
        _create(self._admin, name, template, "")
        return name

    def prepare(self, template: str, number: int) -> None:
        """Do nothing: what is not needed has no place on a server of somebody else's."""

    def drop(self, name: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        _drop(self._admin, name)
        self._made.discard(name)

    def close(self) -> None:
        """Drop what is left of what was made here."""
        for name in sorted(self._made):
            _drop(self._admin, name)
        self._admin.close()

    def _remove_abandoned(self) -> None:
        for (name,) in self._admin.execute(_DATABASES.encode()).fetchall():
            match = _OURS.fullmatch(name)
            if match is None or match["token"] == self._token:
                continue
            lock = _lock_of(match["token"])
            row = self._admin.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone()
            if row == (True,):
                _drop(self._admin, name)
                self._admin.execute("SELECT pg_advisory_unlock(%s, %s)", lock)


def open_cluster(options: Options, **arguments: Any) -> Cluster:
    """Return a running throwaway server, to be closed by the caller."""
    from pggit_chaos import binaries
    from pggit_chaos.cluster import Cluster

    settings = {**SETTINGS, **(arguments.pop("settings", None) or {})}
    programs = arguments.pop("programs", None) or binaries.find(options.pg_bindir)
    extensions = [*options.extension_dirs, *arguments.pop("extensions", ())]
    cluster = Cluster(programs=programs, settings=settings, extensions=extensions, **arguments)
    return cluster.__enter__()


def check(dsn: str) -> None:
    """Raise what stands in the way of copying the database of a DSN."""
    with _connect(dsn) as conn:
        name = _copyable(conn)
        others = conn.execute(_OTHERS).fetchone()
    if others is not None and others[0]:
        raise _in_use(name, others[1])


def _copyable(conn: psycopg.Connection[Any]) -> str:
    """Return the name of a database that has pgGit and that its role may copy."""
    name = conn.info.dbname
    rights = conn.execute(_RIGHTS).fetchone()
    assert rights is not None
    role, may_create, may_all = rights
    if not may_create:
        raise PrivilegeError(
            f'role "{role}" may not create databases, and tests run in copies of "{name}"',
            hint=f'ALTER ROLE "{role}" CREATEDB SUPERUSER;',
        )
    if not may_all:
        raise PrivilegeError(
            f'role "{role}" is no superuser, and only one may put hooks into copies of "{name}"',
            detail="They are event triggers among others.",
            hint="Connect as a superuser.",
        )
    if conn.execute(_HAS_PGGIT).fetchone() is None:
        raise NotInstalledError(f'database "{name}" has no pgGit')
    return name


def _in_use(name: str, by: str | None) -> UsageError:
    return UsageError(
        f'database "{name}" is in use, and PostgreSQL copies none that is',
        detail=by,
        hint="Have the others disconnect, or name a copy of it made by pg_dump.",
    )


def _connect(dsn: str, **parameters: Any) -> psycopg.Connection[Any]:
    import psycopg

    try:
        return psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT, **parameters)
    except psycopg.ProgrammingError as error:
        raise UsageError(f"malformed DSN: {error}") from error
    except psycopg.OperationalError as error:
        raise ServerError(f"no connection: {str(error).strip().splitlines()[0]}") from error


def _create(
    conn: psycopg.Connection[Any], name: str, template: str, strategy: LiteralString
) -> None:
    """Copy a database and opt the copy in."""
    from psycopg import sql

    new, old = sql.Identifier(name), sql.Identifier(template)
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
    conn.execute(create.format(new, old, sql.SQL(strategy)))
    for setting in ("pggit_chaos.enabled = on", "TimeZone = 'UTC'"):  # pgGit stores local time
        conn.execute(sql.SQL("ALTER DATABASE {} SET {}").format(new, sql.SQL(setting)))


def _drop(conn: psycopg.Connection[Any], name: str) -> None:
    from psycopg import sql

    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    conn.execute(drop.format(sql.Identifier(name)))


def _lock_of(token: str) -> tuple[int, int]:
    return _LOCK_CLASS, int(token, 16) - (1 << 31)
