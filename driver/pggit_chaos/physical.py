"""Drills of damage below SQL: to the files of pgGit's tables, on a throwaway server.

It takes a Cluster and stops and starts it; no DSN names a server that this may be
done to.  The damage is found by what the server itself offers, amcheck and
checksums: the checks of fsck() read rows, and here it is the rows that are lost.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors, sql

from pggit_chaos import relation_files as files
from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import UsageError
from pggit_chaos.rows import Drill

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster

__all__ = ["INITDB_OPTIONS", "KINDS", "PhysicalKind", "drill", "drill_all"]

INITDB_OPTIONS: Final = ("--data-checksums",)
"""What the Cluster must be made with: without checksums no flipped bit is noticed."""

CHECKSUM = "checksum"
INDEX_CHECK = "amcheck.bt_index_check"
HEAP_CHECK = "amcheck.verify_heapam"
INDEX_SCAN = "index_scan"

_TABLES = """
SELECT c.oid, i.indexrelid, n.nspname, c.relname,
       ARRAY(SELECT a.attname
               FROM pg_catalog.pg_attribute AS a
              WHERE a.attrelid = c.oid
                AND a.attnum = ANY (i.indkey::int2[])),
       ARRAY(SELECT a.attname
               FROM pg_catalog.pg_attribute AS a
              WHERE a.attrelid = c.oid
                AND a.attnum > 0
                AND NOT a.attisdropped
                AND a.attgenerated = ''),
       ARRAY(SELECT pg_relation_filepath(f.oid)
               FROM pg_catalog.pg_class AS f
              WHERE f.oid IN (c.oid, c.reltoastrelid)
                 OR f.oid IN (SELECT x.indexrelid
                                FROM pg_catalog.pg_index AS x
                               WHERE x.indrelid IN (c.oid, c.reltoastrelid))),
       pg_relation_filepath(c.oid), pg_relation_filepath(i.indexrelid)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname NOT IN ('pggit_chaos', 'pggit_base', 'pggit_branches')
   AND c.relkind = 'r'
   AND c.relpersistence = 'p'
 ORDER BY n.nspname, c.relname
"""
_INDEXES = """
SELECT i.indexrelid
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
 WHERE i.indrelid = %s
   AND m.amname = 'btree'
   AND i.indisvalid
 ORDER BY c.relname
"""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A table of pgGit, its primary key, and where they are kept in the data directory."""

    oid: int
    index: int
    name: sql.Identifier
    key: sql.Composable
    columns: sql.Composable
    files: list[str]
    file: str
    index_file: str


@dataclass(frozen=True, kw_only=True)
class _Victim:
    """A table that holds rows."""

    cluster: Cluster
    dbname: str
    table: _Table
    row: int
    """One of its rows, counted from 0 in the order of the key."""
    block: int
    """The block that this row is in."""


@dataclass(frozen=True, kw_only=True)
class PhysicalKind:
    """One kind of damage to files; ``damage`` finds the server stopped."""

    kind: str
    summary: str
    detected_by: tuple[str, ...]
    damage: Callable[[_Victim, random.Random], None]


def drill_all(cluster: Cluster, dbname: str, *, seed: int = 0) -> Iterator[Drill]:
    """Drill each kind in turn on a database that has pgGit and the extension.

    The server is stopped and started, so no connection to it survives.  A drill
    has no verdict where the server lacks what must detect it, or no table holds
    rows.  The files are put back even where a drill is left by an error.
    """
    for kind in KINDS:
        yield drill(cluster, dbname, kind, seed=seed)


def drill(cluster: Cluster, dbname: str, kind: str, *, seed: int = 0) -> Drill:
    """Damage files, see that amcheck or a checksum tells, put the files back."""
    if kind not in KINDS:
        raise UsageError(
            f'physical kind "{kind}" does not exist', hint=f"There are {', '.join(KINDS)}."
        )
    began = time.monotonic()
    chosen, chance = KINDS[kind], random.Random(f"{kind} {seed}")  # noqa: S311 no secret
    with _amcheck(cluster, dbname) as schema:
        with _connect(cluster, dbname) as conn:
            tables = _tables(conn)
            victim = _victim(conn, cluster, tables, chance)
            able = _detectors(conn, schema)
            before = _symptoms(conn, tables, schema), Chaos(conn).state_digest()
        if victim is None or not able & set(chosen.detected_by):
            return Drill(
                kind=kind,
                detected=None,
                detected_by=None,
                unrelated=None,
                healed=None,
                elapsed=None,
            )
        with files.kept(cluster, victim.table.files):
            chosen.damage(victim, chance)
            if not cluster.running:
                cluster.start()
            with _connect(cluster, dbname) as conn:
                spoke = _symptoms(conn, tables, schema) - before[0]
        with _connect(cluster, dbname) as conn:
            after = _symptoms(conn, tables, schema), Chaos(conn).state_digest()
    found_by = {detector for detector, _ in spoke}
    return Drill(
        kind=kind,
        detected=bool(found_by & set(chosen.detected_by)),
        detected_by=sorted(found_by & set(chosen.detected_by)),
        unrelated=sorted(found_by - set(chosen.detected_by)),
        healed=after == before,
        elapsed=timedelta(seconds=time.monotonic() - began),
    )


# -- the kinds


def _lose_index_entry(victim: _Victim, _: random.Random) -> None:
    # The row is written anew, as it was, while its index is told not to listen.
    ready = "UPDATE pg_catalog.pg_index SET indisready = %s WHERE indexrelid = %s"
    rewrite = sql.SQL(
        "WITH victim AS (SELECT t.ctid FROM ONLY {table} AS t ORDER BY {key} OFFSET {row} LIMIT 1),"
        " gone AS (DELETE FROM ONLY {table} AS t USING victim AS v WHERE t.ctid = v.ctid"
        " RETURNING t.*)"
        " INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM gone"
    ).format(
        table=victim.table.name,
        key=victim.table.key,
        columns=victim.table.columns,
        row=sql.Literal(victim.row),
    )
    victim.cluster.start()
    with _connect(victim.cluster, victim.dbname) as conn, conn.transaction():
        conn.execute(ready, [False, victim.table.index])
        conn.execute(rewrite)
        conn.execute(ready, [True, victim.table.index])


def _flip_bit(victim: _Victim, chance: random.Random) -> None:
    path = files.segment(victim.cluster.data / victim.table.file, victim.block // files.SEGMENT)
    with path.open("r+b") as file:
        place = victim.block % files.SEGMENT * files.BLOCK + chance.randrange(files.BLOCK)
        file.seek(place)
        (value,) = file.read(1)
        file.seek(place)
        file.write(bytes([value ^ 1 << chance.randrange(8)]))


def _truncate_table(victim: _Victim, _: random.Random) -> None:
    files.truncate(victim.cluster.data / victim.table.file, victim.block)


def _truncate_index(victim: _Victim, _: random.Random) -> None:
    path = victim.cluster.data / victim.table.index_file
    last = max(files.segments(path))
    blocks = last * files.SEGMENT + files.segment(path, last).stat().st_size // files.BLOCK
    files.truncate(path, blocks - 1)


KINDS: Final = {
    kind.kind: kind
    for kind in (
        PhysicalKind(
            kind="index_entry_lost",
            summary="a row is not in the index of its primary key",
            detected_by=(INDEX_CHECK,),
            damage=_lose_index_entry,
        ),
        PhysicalKind(
            kind="index_truncated",
            summary="the last block of an index is gone",
            detected_by=(INDEX_CHECK, INDEX_SCAN),
            damage=_truncate_index,
        ),
        PhysicalKind(
            kind="page_bit_flipped",
            summary="one bit of a block of a table is another",
            detected_by=(CHECKSUM,),
            damage=_flip_bit,
        ),
        PhysicalKind(
            kind="table_truncated",
            summary="a table ends before one of its rows",
            detected_by=(INDEX_SCAN, HEAP_CHECK),
            damage=_truncate_table,
        ),
    )
}


# -- the detectors


@contextmanager
def _amcheck(cluster: Cluster, dbname: str) -> Iterator[str | None]:
    """Have amcheck for the block; yield the schema that it is in, None where there is none."""
    found = "SELECT e.extnamespace::regnamespace::text FROM pg_extension AS e WHERE extname = %s"
    with _connect(cluster, dbname) as conn:
        row = conn.execute(found, ["amcheck"]).fetchone()
        missing = row is None
        if (
            row is None
            and conn.execute(
                "SELECT FROM pg_available_extensions WHERE name = %s", ["amcheck"]
            ).rowcount
        ):
            conn.execute("CREATE EXTENSION amcheck SCHEMA public")
            row = ("public",)
    try:
        yield row[0] if row is not None else None
    finally:
        if missing and row is not None:
            with _connect(cluster, dbname) as conn:
                conn.execute("DROP EXTENSION amcheck")


def _detectors(conn: psycopg.Connection[Any], amcheck: str | None) -> set[str]:
    checksums = conn.execute("SHOW data_checksums").fetchone() == ("on",)
    return {
        INDEX_SCAN,
        *((INDEX_CHECK, HEAP_CHECK) if amcheck is not None else ()),
        *((CHECKSUM,) if checksums else ()),
    }


def _symptoms(
    conn: psycopg.Connection[Any], tables: list[_Table], amcheck: str | None
) -> set[tuple[str, int]]:
    """Read everything in every way; return which detector speaks of which relation."""
    return {
        symptom
        for table in tables
        for detector, relation, probe in _probes(conn, table, amcheck)
        if (symptom := _symptom(conn, detector, relation, probe)) is not None
    }


def _probes(
    conn: psycopg.Connection[Any], table: _Table, amcheck: str | None
) -> Iterator[tuple[str, int, sql.Composed]]:
    if amcheck is not None:
        schema, oid = sql.SQL(amcheck), sql.Literal(table.oid)
        yield (
            HEAP_CHECK,
            table.oid,
            sql.SQL("SELECT * FROM {}.verify_heapam({}::oid::regclass)").format(schema, oid),
        )
        for (index,) in conn.execute(_INDEXES, [table.oid]).fetchall():
            check = sql.SQL("SELECT WHERE {}.bt_index_check({}::oid::regclass, true) IS NULL")
            yield INDEX_CHECK, index, check.format(schema, sql.Literal(index))
    scan = sql.SQL(
        "SELECT FROM (SELECT t.ctid FROM ONLY {} AS t ORDER BY {} OFFSET 0) AS t"
        " WHERE t.ctid IS NULL"
    )
    yield INDEX_SCAN, table.oid, scan.format(table.name, table.key)


def _symptom(
    conn: psycopg.Connection[Any], detector: str, relation: int, probe: sql.Composed
) -> tuple[str, int] | None:
    """Run one probe: a row or an error is a symptom.  The server counts what failed a checksum."""
    failures = _checksum_failures(conn)
    try:
        spoke = bool(conn.execute(probe).rowcount)
    except (errors.DataCorrupted, errors.IndexCorrupted):
        spoke = True
    if _checksum_failures(conn) > failures:
        return CHECKSUM, relation
    return (detector, relation) if spoke else None


def _checksum_failures(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "SELECT COALESCE(sum(d.checksum_failures), 0) FROM pg_catalog.pg_stat_database AS d"
    ).fetchone()
    assert row is not None
    return int(row[0])


# -- victims and files


def _connect(cluster: Cluster, dbname: str) -> psycopg.Connection[Any]:
    """Connect so that pgGit hears of nothing, and rows are read through their index."""
    options = (
        "-c session_replication_role=replica -c enable_seqscan=off -c enable_bitmapscan=off"
        " -c enable_indexonlyscan=off -c enable_sort=off -c max_parallel_workers_per_gather=0"
    )
    return cluster.connect(dbname, autocommit=True, options=options)


def _tables(conn: psycopg.Connection[Any]) -> list[_Table]:
    return [
        _Table(
            oid=oid,
            index=index,
            name=sql.Identifier(schema, name),
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            files=files,
            file=file,
            index_file=index_file,
        )
        for oid, index, schema, name, key, columns, files, file, index_file in conn.execute(
            _TABLES
        ).fetchall()
    ]


def _victim(
    conn: psycopg.Connection[Any], cluster: Cluster, tables: list[_Table], chance: random.Random
) -> _Victim | None:
    counts = [
        conn.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(table.name)).fetchone()
        for table in tables
    ]
    candidates = [
        (table, row[0]) for table, row in zip(tables, counts, strict=True) if row and row[0]
    ]
    if not candidates:
        return None
    table, rows = chance.choice(candidates)
    number = chance.randrange(rows)
    where = sql.SQL(
        "SELECT split_part(ltrim(t.ctid::text, '('), ',', 1)::bigint FROM ONLY {} AS t"
        " ORDER BY {} OFFSET {} LIMIT 1"
    )
    (block,) = conn.execute(
        where.format(table.name, table.key, sql.Literal(number))
    ).fetchone() or (0,)
    return _Victim(cluster=cluster, dbname=conn.info.dbname, table=table, row=number, block=block)
