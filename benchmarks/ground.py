"""A server with the databases that the benchmarks clone: one for each state of the hooks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from pggit_chaos import extension, pggit_source, reference
from pggit_chaos.binaries import Binaries
from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.target import Target

if TYPE_CHECKING:
    import psycopg

__all__ = ["EXTENSION", "HOOKED", "PARTLY_HOOKED", "PLAIN", "Ground", "make_ground"]

PLAIN = "plain"
EXTENSION = "extension"
HOOKED = "hooked"
PARTLY_HOOKED = {
    "function hooks alone": ("ddl", "table", "commit"),
    "function and DDL hooks": ("table", "commit"),
    "function, DDL and row hooks": ("commit",),
}
"""Databases whose hooks are off but for some kinds: name, and the kinds that are off."""

# Nothing but the two sides shall make a difference between them.
_SETTINGS = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "shared_buffers": "512MB",  # all sides at once fit in
}

# A disabled trigger costs nothing.  The hooks of functions have no such switch.
_SWITCHES = """
SELECT 'table', format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::regclass, g.tgname)
  FROM pg_catalog.pg_trigger AS g
 WHERE g.tgname IN ('zz_pggit_chaos_before', 'zz_pggit_chaos_after')
   AND g.tgparentid = 0
UNION ALL
SELECT 'commit', format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::regclass, g.tgname)
  FROM pg_catalog.pg_trigger AS g
 WHERE g.tgname = 'zz_pggit_chaos_commit'
   AND g.tgparentid = 0
UNION ALL
SELECT 'ddl', format('ALTER EVENT TRIGGER %I DISABLE', e.evtname)
  FROM pg_catalog.pg_event_trigger AS e
 WHERE e.evtname LIKE 'zz\\_pggit\\_chaos\\_%'
"""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A running server; clones of its databases last as long as their block."""

    cluster: Cluster
    label: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def clone(self, template: str) -> Iterator[psycopg.Connection[Any]]:
        """Copy one of the databases and yield an autocommit connection to the copy."""
        name = f"clone_{next(self._numbers)}"
        self.cluster.create_database(name, template=template)
        try:
            with self.cluster.connect(name, autocommit=True) as conn:
                if template != PLAIN:
                    extension.enable(conn)  # a copy starts out disabled
                yield conn
        finally:
            self.cluster.drop_database(name)


@contextmanager
def make_ground(source: Path | None, programs: Binaries, *, by_kind: bool) -> Iterator[Ground]:
    """Start a server and make each database from the one before."""
    with Cluster(programs=programs, settings=_SETTINGS) as cluster:
        _make_plain(cluster, source, programs)
        cluster.create_database(EXTENSION, template=PLAIN)
        with cluster.connect(EXTENSION, autocommit=True) as conn:
            extension.install(conn)
        cluster.create_database(HOOKED, template=EXTENSION)
        with cluster.connect(HOOKED, autocommit=True) as conn:
            extension.enable(conn)
            Chaos(conn).install_hooks()
        databases = [PLAIN, EXTENSION, HOOKED]
        for name, kinds in PARTLY_HOOKED.items() if by_kind else ():
            cluster.create_database(name, template=HOOKED)
            with cluster.connect(name, autocommit=True) as conn:
                _switch_off(conn, kinds)
            databases.append(name)
        for name in databases:
            _settle(cluster, name)
        target = source.resolve().name if source is not None else "the reference target"
        yield Ground(cluster=cluster, label=f"{target} on PostgreSQL {programs.version}")


def _make_plain(cluster: Cluster, source: Path | None, programs: Binaries) -> None:
    cluster.create_database(PLAIN)
    if source is not None:
        pggit_source.install(cluster.dsn(PLAIN), source, programs=programs)
    with cluster.connect(PLAIN, autocommit=True) as conn:
        if source is None:
            reference.load(conn)
        Target(conn).prepare()


def _settle(cluster: Cluster, name: str) -> None:
    """Give the planner the same knowledge everywhere: it would guess by the size of files."""
    with cluster.connect(name, autocommit=True) as conn:
        conn.execute("VACUUM (FREEZE, ANALYZE)")


def _switch_off(conn: psycopg.Connection[Any], kinds: tuple[str, ...]) -> None:
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        for kind, statement in conn.execute(_SWITCHES).fetchall():
            if kind in kinds:
                conn.execute(sql.SQL(statement))
