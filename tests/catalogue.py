"""What the catalogue and the tables hold, for comparison, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

# Every column of what a hook could touch; but relhastriggers, which PostgreSQL
# itself lets stand after the last trigger is gone, and xmin, which is no content.
_CATALOGUES = {
    # Defaults and ATOMIC bodies as they read: stored, they keep positions in the statement's text.
    "pg_proc": "to_jsonb(p) - '{proargdefaults,prosqlbody}'::text[],"
    " pg_get_function_arguments(p.oid), pg_get_function_sqlbody(p.oid) FROM pg_proc AS p",
    "pg_trigger": "* FROM pg_trigger",
    "pg_event_trigger": "evtname, evtevent, evtfoid, evtowner, evtenabled, evttags"
    " FROM pg_event_trigger",
    "pg_constraint": "* FROM pg_constraint",
    "pg_attribute": "* FROM pg_attribute",
    "pg_description": "* FROM pg_description",
    "pg_class": "oid, relname, relnamespace, relkind, relacl, relchecks, relhasrules FROM pg_class",
    "pg_namespace": "oid, * FROM pg_namespace",
    "pg_init_privs": "* FROM pg_init_privs",
}


def fingerprint(conn: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Return the rows of the catalogues and of every table of pgGit, as text, sorted."""
    rows = {
        name: conn.execute(
            f"SELECT row(c.*)::text FROM (SELECT {columns}) AS c ORDER BY 1"
        ).fetchall()
        for name, columns in _CATALOGUES.items()
    }
    tables = conn.execute("""
        SELECT n.nspname, c.relname, c.relkind
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname ~ '^pggit(_|$)' AND n.nspname <> 'pggit_chaos' AND c.relkind IN ('r', 'S')
    """).fetchall()
    for schema, table, kind in tables:
        # A sequence's third column counts ahead in the WAL.
        columns = sql.SQL("t.last_value, t.is_called" if kind == "S" else "t.*")
        query = sql.SQL("SELECT row({})::text FROM ONLY {} AS t ORDER BY 1")
        rows[f"{schema}.{table}"] = conn.execute(
            query.format(columns, sql.Identifier(schema, table))
        ).fetchall()
    return rows


@contextmanager
def restored(conn: psycopg.Connection[Any], role: str) -> Iterator[str]:
    """Make an ordinary role for a while; what it was granted here goes with it."""
    conn.execute(f"CREATE ROLE {role}")
    try:
        yield role
    finally:
        conn.execute("RESET ROLE")
        conn.execute(f"DROP OWNED BY {role}")
        conn.execute(f"DROP ROLE {role}")
