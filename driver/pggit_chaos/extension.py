"""The extension's files, and how it gets into a database and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pggit_chaos import _script
from pggit_chaos.errors import ChaosError, UsageError, translated

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "Installation",
    "enable",
    "files",
    "install",
    "installation",
    "opt_in",
    "uninstall",
    "version",
]

NAME = "pggit_chaos"

# DROP EXTENSION leaves the schema that CREATE EXTENSION made, so the schema alone
# means nothing.
_INSTALLED = """
SELECT pg_catalog.to_regprocedure('pggit_chaos.is_enabled()') IS NOT NULL,
       (SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pggit_chaos')
"""
_AVAILABLE = """
SELECT true FROM pg_catalog.pg_available_extension_versions
 WHERE name = 'pggit_chaos' AND version = %s
"""
_SHAREDIR = "SELECT setting FROM pg_catalog.pg_config WHERE name = 'SHAREDIR'"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a database holds of the extension."""

    how: str
    """``extension``, or ``script`` where it is only a schema."""
    version: str | None


@cache
def files() -> dict[str, bytes]:
    """Return the extension's files by name.

    An installed package carries them.  In a checkout they are made from ``sql/``.
    """
    shipped = Path(__file__).parent / "_extension"
    if shipped.is_dir():
        return {path.name: path.read_bytes() for path in sorted(shipped.iterdir())}
    return _script.build(Path(__file__).parents[2])


def version() -> str:
    """Return the version that these files install."""
    return _script.version(files()[_script.CONTROL].decode())


def installation(conn: psycopg.Connection[Any]) -> Installation | None:
    """Return what is installed in the database of ``conn``, or None."""
    row = conn.execute(_INSTALLED).fetchone()
    if row is None or not row[0]:
        return None
    return Installation(how="script" if row[1] is None else "extension", version=row[1])


def install(conn: psycopg.Connection[Any]) -> Installation:
    """Install the extension into the database of ``conn`` and say how that was done.

    By CREATE EXTENSION where the server has the files, or where it is on this
    machine and its extension directory can be written to.  Otherwise the script
    is sent over the connection and makes the schema.  Commits nothing but what
    the connection's own mode commits.
    """
    if installation(conn) is not None:
        raise UsageError(
            f'database "{conn.info.dbname}" already has {NAME}',
            hint="pggit-chaos uninstall",
        )
    with translated(), conn.transaction():
        if _is_available(conn) or (_put_files(conn) and _is_available(conn)):
            conn.execute("CREATE EXTENSION pggit_chaos")
        else:
            conn.execute(_plain_script())
    done = installation(conn)
    if done is None:
        raise ChaosError("the extension's script ran and left no schema")
    return done


def uninstall(conn: psycopg.Connection[Any]) -> None:
    """Put pgGit back, remove the extension and the owner's opt-in."""
    present = installation(conn)
    if present is None:
        raise UsageError(f'database "{conn.info.dbname}" has no pggit_chaos')
    with translated(), conn.transaction():
        conn.execute("SELECT FROM pggit_chaos.uninstall_hooks()")
        if present.how == "extension":
            conn.execute("DROP EXTENSION pggit_chaos")
            conn.execute("DROP SCHEMA IF EXISTS pggit_chaos")
        else:
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute("DROP SCHEMA pggit_chaos CASCADE")
        conn.execute(opt_in(conn, on=False).encode())


def opt_in(conn: psycopg.Connection[Any], *, on: bool = True) -> str:
    """Return the statement that opts the database of ``conn`` in, or out again."""
    from psycopg import sql

    change = "SET pggit_chaos.enabled = on" if on else "RESET pggit_chaos.enabled"
    statement = sql.SQL("ALTER DATABASE {} {};").format(
        sql.Identifier(conn.info.dbname), sql.SQL(change)
    )
    return statement.as_string(conn)


def enable(conn: psycopg.Connection[Any], *, on: bool = True) -> None:
    """Opt the database of ``conn`` in, or out again."""
    with translated():
        conn.execute(opt_in(conn, on=on).encode())


def _is_available(conn: psycopg.Connection[Any]) -> bool:
    return conn.execute(_AVAILABLE, (version(),)).fetchone() is not None


def _put_files(conn: psycopg.Connection[Any]) -> bool:
    """Write the files into the server's directory if it is ours to write to."""
    if not conn.info.host.startswith("/"):
        return False  # a path of another machine may exist on this one, too
    import psycopg

    try:
        with conn.transaction():
            row = conn.execute(_SHAREDIR).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return False
    directory = Path(row[0]) / "extension" if row is not None else None
    if directory is None or not (directory / "plpgsql.control").exists():
        return False
    try:
        for name, content in files().items():
            (directory / name).write_bytes(content)
    except OSError:
        return False
    return True


def _plain_script() -> str:
    """Return the script as CREATE EXTENSION would run it, to be sent by a client."""
    text = files()[f"{NAME}--{version()}.sql"].decode()
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("\\echo")]
    body = "".join(lines).replace("@extschema@", NAME)
    return f"CREATE SCHEMA IF NOT EXISTS {NAME};\n{body}"
