"""Calls of pggit_chaos' own functions over a connection of the caller's.

Made from ``async_calls.py`` by ``python driver/async_to_sync.py``: change that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, scalar_row

from pggit_chaos.errors import translated

if TYPE_CHECKING:
    import psycopg

__all__ = ["fetch_rows", "fetch_value", "is_usable", "outliving_rollback"]

Row = TypeVar("Row")


@contextmanager
def outliving_rollback(conn: psycopg.Connection[Any]) -> Iterator[bool]:
    """Commit what the block does, unless the caller has a transaction open already."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    try:
        yield idle
    except BaseException:
        is_usable(conn, rollback=idle)
        raise
    if idle and not conn.autocommit:
        conn.commit()


def is_usable(conn: psycopg.Connection[Any], *, rollback: bool) -> bool:
    """Answer whether the connection takes statements, after a rollback if allowed."""
    status = conn.info.transaction_status
    if status == TransactionStatus.INERROR and rollback:
        conn.rollback()
        status = conn.info.transaction_status
    return status in (TransactionStatus.IDLE, TransactionStatus.INTRANS)


def fetch_rows(
    conn: psycopg.Connection[Any], row: type[Row], query: str, arguments: Sequence[Any] = ()
) -> list[Row]:
    """Return the rows that a query of ours answers."""
    with translated(), conn.cursor(row_factory=class_row(row)) as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchall()


def fetch_value(conn: psycopg.Connection[Any], query: str, arguments: Sequence[Any] = ()) -> Any:
    """Return the one value that a query of ours answers."""
    with translated(), conn.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchone()
