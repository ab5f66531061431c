"""More sessions, ordinary roles, and what a correct pgGit promises, as queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from pggit_chaos.cluster import Cluster

Connection = psycopg.Connection[Any]

# Each query returns the rows that break the promise which names it.
PROMISES = {
    "a head is the newest commit of its branch": """
        SELECT b.name FROM pggit.branches AS b
          JOIN LATERAL (SELECT c.hash FROM pggit.commits AS c WHERE c.branch_id = b.id
                         ORDER BY c.id DESC LIMIT 1) AS newest ON true
         WHERE newest.hash IS DISTINCT FROM b.head_commit_hash""",
    "a head is a commit": """
        SELECT b.name FROM pggit.branches AS b
         WHERE b.head_commit_hash IS NOT NULL
           AND NOT EXISTS (SELECT FROM pggit.commits AS c WHERE c.hash = b.head_commit_hash)""",
    "the commits of a branch are one line": """
        SELECT c.hash
          FROM (SELECT c.*, lag(c.hash) OVER (PARTITION BY c.branch_id ORDER BY c.id) AS former
                  FROM pggit.commits AS c) AS c
         WHERE c.former IS NOT NULL AND c.parent_commit_hash IS DISTINCT FROM c.former""",
    "versions have no gap": """
        SELECT h.id
          FROM (SELECT h.*, lag(COALESCE(h.new_version, h.old_version))
                            OVER (PARTITION BY h.object_id ORDER BY h.id) AS reached
                  FROM pggit.history AS h) AS h
         WHERE h.old_version <> h.reached
            OR h.new_version <> h.old_version + 1""",
    "an object is what its last change made it": """
        SELECT o.full_name, o.branch_name
          FROM pggit.objects AS o
          JOIN LATERAL (SELECT h.* FROM pggit.history AS h WHERE h.object_id = o.id
                         ORDER BY h.id DESC LIMIT 1) AS h ON true
         WHERE o.version <> COALESCE(h.new_version, h.old_version)
            OR o.is_active = (h.change_type = 'DROP')
            OR o.is_active AND (o.content_hash, o.metadata)
                               IS DISTINCT FROM (h.new_hash, h.new_metadata)
            OR o.updated_at <> h.created_at""",
    "a change begins where the one before it ended": """
        SELECT h.id
          FROM (SELECT h.*, lag(h.new_hash) OVER w AS former, row_number() OVER w AS place
                  FROM pggit.history AS h
                WINDOW w AS (PARTITION BY h.object_id ORDER BY h.id)) AS h
         WHERE h.place > 1 AND h.old_hash IS DISTINCT FROM h.former""",
    "what changed has a version": """
        SELECT o.full_name FROM pggit.objects AS o
         WHERE o.branch_name = 'main' AND o.version > 1
           AND NOT EXISTS (SELECT FROM pggit.history AS h WHERE h.object_id = o.id)""",
    "a branch that is merged says so, and no other does": """
        SELECT b.name FROM pggit.branches AS b
         WHERE (b.merged_at IS NULL) <> (b.merged_by IS NULL)
            OR b.status = 'MERGED' AND b.merged_at IS NULL
            OR b.status IN ('ACTIVE', 'CONFLICTED') AND b.merged_at IS NOT NULL""",
    "what is below a table is below an active one": """
        SELECT o.full_name FROM pggit.objects AS o JOIN pggit.objects AS p ON p.id = o.parent_id
         WHERE o.is_active AND NOT p.is_active OR o.branch_id <> p.branch_id""",
    "columns and indexes are below a table": """
        SELECT o.full_name FROM pggit.objects AS o
         WHERE (o.object_type IN ('COLUMN', 'INDEX')) <> (o.parent_id IS NOT NULL)""",
    "a table's columns are those of its metadata": """
        SELECT t.full_name FROM pggit.objects AS t
         WHERE t.object_type = 'TABLE' AND t.is_active
           AND (SELECT count(*) FROM jsonb_object_keys(COALESCE(t.metadata -> 'columns', '{}')))
            <> (SELECT count(*) FROM pggit.objects AS c
                 WHERE c.parent_id = t.id AND c.object_type = 'COLUMN')""",
    "only what is active has dependencies, on its own branch": """
        SELECT d.id FROM pggit.dependencies AS d
          JOIN pggit.objects AS a ON a.id = d.dependent_id
          JOIN pggit.objects AS b ON b.id = d.depends_on_id
         WHERE NOT a.is_active OR NOT b.is_active
            OR a.branch_id <> d.branch_id OR b.branch_id <> d.branch_id""",
    "the books of data branches agree": """
        SELECT d.table_name, t.branch_table
          FROM pggit.data_branches AS d
          FULL JOIN pggit.branched_tables AS t
            ON (t.branch_schema, t.branch_table) = (d.table_schema, d.table_name)
          LEFT JOIN pggit.branches AS b ON b.id = d.branch_id AND b.name = t.branch_name
         WHERE b.id IS NULL OR b.status = 'DELETED' OR d.row_count <> t.row_count
            OR to_regclass(format('%I.%I', d.table_schema, d.table_name)) IS NULL""",
    "storage statistics are the sum of the copies": """
        SELECT COALESCE(s.branch_name, t.name)
          FROM pggit.branch_storage_stats AS s
          FULL JOIN (SELECT b.name, sum(d.row_count) AS rows, sum(d.storage_bytes) AS bytes
                       FROM pggit.data_branches AS d JOIN pggit.branches AS b ON b.id = d.branch_id
                      GROUP BY b.name) AS t ON t.name = s.branch_name
         WHERE (s.row_count, s.total_size) IS DISTINCT FROM (t.rows, t.bytes)""",
    # An object can be recorded that is not there: ensure_object() does as it is told.
    "fsck finds nothing": """
        SELECT check_id, message FROM pggit_chaos.fsck() WHERE check_id <> 'object_gone'""",
}

# What holds besides while every schema change is made on main.
MIRROR = {
    "nothing that main records is gone": """
        SELECT check_id, message FROM pggit_chaos.fsck('{object_gone}')""",
    "main records every object that there is": """
        SELECT i.* FROM (
               SELECT 'pg_class'::regclass, c.oid, c.relnamespace FROM pg_class AS c
                UNION ALL
               SELECT 'pg_proc'::regclass, p.oid, p.pronamespace FROM pg_proc AS p)
               AS t(classid, objid, namespace)
          JOIN pg_namespace AS n ON n.oid = t.namespace AND n.nspname !~ '^(pg_|pggit|information)'
         CROSS JOIN LATERAL pggit._identity(t.classid, t.objid) AS i
         WHERE NOT EXISTS (SELECT FROM pg_depend AS d
                            WHERE (d.classid, d.objid) = (t.classid, t.objid) AND d.deptype = 'e')
           AND NOT EXISTS (SELECT FROM pggit.objects AS o
                            WHERE (o.object_type, o.schema_name, o.object_name, o.branch_name)
                                = (i.object_type, i.schema_name, i.object_name, 'main')
                              AND o.is_active)""",
    "what main records is there, as it is recorded": """
        SELECT o.full_name FROM pggit.objects AS o
         WHERE o.branch_name = 'main' AND o.is_active AND o.object_type <> 'COLUMN'
           AND o.ddl_hash IS DISTINCT FROM
               pggit.compute_ddl_hash(o.object_type, o.schema_name, o.object_name)""",
    "main records every foreign key": """
        SELECT c.conname, c.conrelid::regclass, c.confrelid::regclass FROM pg_constraint AS c
         WHERE c.contype = 'f' AND c.connamespace::regnamespace::text !~ '^pggit'
           AND NOT EXISTS (
               SELECT FROM pggit.dependencies AS d
                 JOIN pggit.objects AS a ON a.id = d.dependent_id AND a.branch_name = 'main'
                 JOIN pggit.objects AS b ON b.id = d.depends_on_id
                WHERE a.metadata ->> 'oid' = c.conrelid::oid::text
                  AND b.metadata ->> 'oid' = c.confrelid::oid::text)""",
}


def _broken(conn: Connection, promises: dict[str, str]) -> dict[str, list[Any]]:
    found = {promise: conn.execute(query).fetchall() for promise, query in promises.items()}
    return {promise: rows for promise, rows in found.items() if rows}


@pytest.fixture
def broken_promises(conn: Connection) -> Callable[[], dict[str, list[Any]]]:
    """Return the promises that are broken, each with the rows that break it."""
    return lambda: _broken(conn, PROMISES)


@pytest.fixture
def drift(conn: Connection) -> Callable[[], dict[str, list[Any]]]:
    """Return where main and the catalogue differ; for schema changes made on main only."""
    return lambda: _broken(conn, {**PROMISES, **MIRROR})


@pytest.fixture
def connect(cluster: Cluster, database: str) -> Iterator[Callable[..., Connection]]:
    """Make more autocommit sessions; they end with the test."""
    with ExitStack() as stack:
        yield lambda **parameters: stack.enter_context(
            cluster.connect(database, autocommit=True, **parameters)
        )


@pytest.fixture
def ordinary(conn: Connection, connect: Callable[..., Connection]) -> Iterator[Connection]:
    """A session of a role that may create objects in a schema of its own, and no more."""
    conn.execute("CREATE ROLE ordinary LOGIN")
    conn.execute("CREATE SCHEMA ordinary AUTHORIZATION ordinary")
    session = connect(user="ordinary")
    yield session
    session.close()
    conn.execute("DROP OWNED BY ordinary CASCADE")
    conn.execute("DROP ROLE ordinary")


@pytest.fixture
def scalar(conn: Connection) -> Callable[..., Any]:
    """Return the one value of a statement."""

    def value(statement: str, *parameters: Any) -> Any:
        row = conn.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]

    return value


@pytest.fixture
def refuses(conn: Connection) -> Callable[..., psycopg.Error]:
    """See that a statement is refused with a SQLSTATE and changes no row; return the error."""
    tables = [
        row[0]
        for row in conn.execute(
            """SELECT c.oid::regclass::text FROM pg_class AS c
                WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'r' ORDER BY 1"""
        )
    ]

    def rows() -> list[Any]:
        return [conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]

    def check(sqlstate: str, statement: str, *parameters: Any) -> psycopg.Error:
        before = rows()
        with pytest.raises(psycopg.Error) as refusal:
            conn.execute(statement, parameters)
        assert refusal.value.sqlstate == sqlstate, (statement, parameters, refusal.value)
        assert rows() == before, (statement, parameters)
        return refusal.value

    return check
