"""The fewest steps after which something still shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from pggit_chaos.recording import Step

__all__ = ["fewest"]

Shows = Callable[[psycopg.Connection[Any]], bool]

_SEQUENCES = """
SELECT array_agg(format('%I.%I', s.schemaname, s.sequencename)),
       array_agg(COALESCE(s.last_value, s.start_value)), array_agg(s.last_value IS NOT NULL)
  FROM pg_catalog.pg_sequences AS s
"""
_SET_SEQUENCES = """
SELECT setval(s.name::regclass, s.value, s.is_called)
  FROM unnest(%s::text[], %s::bigint[], %s::boolean[]) AS s(name, value, is_called)
"""


def fewest(conn: psycopg.Connection[Any], steps: Sequence[Step], shows: Shows) -> list[Step]:
    """Leave out steps as long as it still shows, ever smaller runs of them.

    Tried within transactions, because that is fast, in a database that stays as it
    was.  Where it does not show there at all, no step is left out.
    """
    kept = list(steps)
    size = len(kept)
    if not _tried(conn, kept, shows):
        return kept
    while size >= 1:
        start = len(kept)
        while start > 0:
            start = max(0, start - size)
            fewer = kept[:start] + kept[start + size :]
            if _tried(conn, fewer, shows):
                kept = fewer
        size //= 2
    return kept


def _tried(conn: psycopg.Connection[Any], steps: Sequence[Step], shows: Shows) -> bool:
    """Do steps in a transaction that is undone; answer whether it shows then."""
    sequences = conn.execute(_SEQUENCES).fetchone()
    try:
        with conn.transaction(force_rollback=True):
            for step in steps:
                _do(conn, step)
            return shows(conn)
    except psycopg.Error:
        return False
    finally:
        conn.execute(_SET_SEQUENCES, sequences)  # no rollback takes them back


def _do(conn: psycopg.Connection[Any], step: Step) -> None:
    try:
        with conn.transaction(force_rollback=step.undone):
            for statement in step.statements:
                conn.execute(statement.encode())
    except psycopg.Error:
        if not step.undone:
            raise
