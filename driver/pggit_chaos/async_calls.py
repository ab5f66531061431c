"""Calls of pggit_chaos' own functions over an asynchronous connection of the caller's.

``calls.py`` is made from it: ``python driver/async_to_sync.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, scalar_row

from pggit_chaos.errors import translated

if TYPE_CHECKING:
    import psycopg

__all__ = ["fetch_rows", "fetch_value", "is_usable", "outliving_rollback"]

Row = TypeVar("Row")


@asynccontextmanager
async def outliving_rollback(conn: psycopg.AsyncConnection[Any]) -> AsyncIterator[bool]:
    """Commit what the block does, unless the caller has a transaction open already."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    try:
        yield idle
    except BaseException:
        await is_usable(conn, rollback=idle)
        raise
    if idle and not conn.autocommit:
        await conn.commit()


async def is_usable(conn: psycopg.AsyncConnection[Any], *, rollback: bool) -> bool:
    """Answer whether the connection takes statements, after a rollback if allowed."""
    status = conn.info.transaction_status
    if status == TransactionStatus.INERROR and rollback:
        await conn.rollback()
        status = conn.info.transaction_status
    return status in (TransactionStatus.IDLE, TransactionStatus.INTRANS)


async def fetch_rows(
    conn: psycopg.AsyncConnection[Any], row: type[Row], query: str, arguments: Sequence[Any] = ()
) -> list[Row]:
    """Return the rows that a query of ours answers."""
    with translated():
        async with conn.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(query, arguments)
            return await cursor.fetchall()


async def fetch_value(
    conn: psycopg.AsyncConnection[Any], query: str, arguments: Sequence[Any] = ()
) -> Any:
    """Return the one value that a query of ours answers."""
    with translated():
        async with conn.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(query, arguments)
            return await cursor.fetchone()
