"""The database that a command works on: named by a DSN, or thrown away afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pggit_chaos import binaries, extension, pggit_source, reference
from pggit_chaos.errors import NotInstalledError, ServerError, UsageError
from pggit_chaos.pggit_source import InstallerError

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.clones import Original
    from pggit_chaos.cluster import Cluster

__all__ = ["Choice", "Workbench", "open_copy", "open_workbench"]

DATABASE = "pggit_chaos_demo"
CONNECT_TIMEOUT = 10  # seconds; a DSN that answers nothing must not hang a command
WORKLOAD_STEPS = 40


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user chose: a DSN, a checkout of pgGit, or neither."""

    dsn: str | None = None
    pggit_source: Path | None = None
    pg_bindir: Path | None = None

    def __post_init__(self) -> None:
        if self.dsn is not None and self.pggit_source is not None:
            raise UsageError("--dsn and --pggit-source exclude each other")
        if self.dsn is not None and self.pg_bindir is not None:
            raise UsageError("--pg-bindir starts a server, and --dsn names one that runs")


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """An autocommit connection to the chosen database, and what it is called."""

    conn: psycopg.Connection[Any]
    label: str
    cluster: Cluster | None = None
    """The server, where it is a throwaway one."""
    installer_errors: tuple[InstallerError, ...] = ()


@contextmanager
def open_workbench(
    choice: Choice,
    talk: Callable[[str], None],
    *,
    needs_extension: bool = True,
    workload: bool = True,
    initdb_options: Iterable[str] = (),
) -> Iterator[Workbench]:
    """Open what was chosen.

    A throwaway server gets pgGit, the extension enabled, and some ordinary work
    to corrupt.  A database behind a DSN is left as it is.
    """
    if choice.dsn is not None:
        with _connect(choice.dsn) as conn:
            if needs_extension:
                _require_extension(conn)
            yield Workbench(conn=conn, label=_label(conn))
        return
    with _throwaway(choice, talk, initdb_options) as bench:
        if workload:
            from pggit_chaos.target import Target

            Target(bench.conn).furnish(steps=WORKLOAD_STEPS)
        yield bench


@contextmanager
def open_copy(
    choice: Choice,
    talk: Callable[[str], None],
    *,
    workload: bool = True,
    own_server: bool = False,
    initdb_options: Iterable[str] = (),
) -> Iterator[Workbench]:
    """Open what was chosen, or rather a copy of a database behind a DSN, extension enabled.

    ``own_server``: the copy must be on a throwaway server, made with ``initdb_options``.
    """
    if choice.dsn is None:
        with open_workbench(
            choice, talk, workload=workload, initdb_options=initdb_options
        ) as bench:
            yield bench
        return
    import psycopg

    from pggit_chaos import clones

    with _connect(choice.dsn) as conn:
        original = clones.look_at(conn, choice.dsn)
        label = f"a copy of {_label(conn)}"
    with ExitStack() as stack:
        cluster = None
        why = "it must be a server of ours" if own_server else _why_not_beside(original)
        if why is None:
            try:
                dsn = stack.enter_context(clones.beside(original, talk))
            except psycopg.errors.ObjectInUse:
                why = "somebody has connected to it"
        if why is not None:
            cluster = stack.enter_context(
                clones.restored(original, talk, why=why, initdb_options=initdb_options)
            )
            dsn = cluster.dsn(clones.COPY)
        conn = stack.enter_context(_connect(dsn))
        if extension.installation(conn) is None:
            extension.install(conn)
        extension.enable(conn)
        yield Workbench(conn=conn, label=label, cluster=cluster)


def _why_not_beside(original: Original) -> str | None:
    """Say why a database cannot be copied on its own server, if so."""
    if not original.may_be_cloned:
        return "the role may not make a copy, or not the extension in it, on that server"
    if original.sessions:
        return f"it has {original.sessions} other sessions, so it cannot be copied where it is"
    return None


@contextmanager
def _throwaway(
    choice: Choice, talk: Callable[[str], None], initdb_options: Iterable[str]
) -> Iterator[Workbench]:
    from pggit_chaos.cluster import Cluster

    programs = binaries.find(choice.pg_bindir)
    name = choice.pggit_source.name if choice.pggit_source is not None else "the reference target"
    label = f"{name} on PostgreSQL {programs.version}"
    talk(f"starting {label} ({programs.origin}: {programs.bindir})")
    if choice.pggit_source is not None:
        pggit_source.installer_files(choice.pggit_source)  # before anything is started
    with Cluster(programs=programs, initdb_options=initdb_options) as cluster:
        cluster.create_database(DATABASE)
        errors: list[InstallerError] = []
        if choice.pggit_source is not None:
            errors = pggit_source.install(
                cluster.dsn(DATABASE), choice.pggit_source, programs=programs
            )
        with cluster.connect(DATABASE, autocommit=True) as conn:
            if choice.pggit_source is None:
                reference.load(conn)
            extension.install(conn)
            extension.enable(conn)
            yield Workbench(conn=conn, label=label, cluster=cluster, installer_errors=tuple(errors))


@contextmanager
def _connect(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    try:
        conn = psycopg.connect(
            dsn,
            autocommit=True,
            application_name="pggit-chaos",
            connect_timeout=CONNECT_TIMEOUT,
        )
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"malformed DSN: {error}", hint="It looks like: postgresql://user@host/database"
        ) from error
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise ServerError(
            f"no connection: {reason}", hint="Is the server running, and is the DSN right?"
        ) from error
    with conn:
        conn.execute("SET TimeZone = 'UTC'")  # pgGit stores local time
        _end_with_us(conn)
        yield conn


def _end_with_us(conn: psycopg.Connection[Any]) -> None:
    """Have the server look whether we are still there: a drill of everything is one statement."""
    import psycopg

    with suppress(psycopg.errors.InvalidParameterValue):  # its system has no way to
        conn.execute("SET client_connection_check_interval = '1s'")


def _label(conn: psycopg.Connection[Any]) -> str:
    version = conn.info.server_version // 10000
    standby = conn.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone() == (True,)
    return f"{conn.info.dbname} on PostgreSQL {version}{' (standby)' * standby}"


def _require_extension(conn: psycopg.Connection[Any]) -> None:
    if extension.installation(conn) is None:
        raise NotInstalledError(
            f'database "{conn.info.dbname}" has no pggit_chaos',
            hint="pggit-chaos install --dsn DSN",
        )
