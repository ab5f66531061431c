"""The psycopg connection underneath one of SQLAlchemy's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import psycopg

from pggit_chaos.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias

    import sqlalchemy
    from sqlalchemy.ext import asyncio
    from sqlalchemy.orm import Session

    ConnectionLike: TypeAlias = psycopg.Connection[Any] | sqlalchemy.Connection | Session
    AsyncConnectionLike: TypeAlias = psycopg.AsyncConnection[Any] | asyncio.AsyncConnection

__all__ = ["async_driver_connection", "driver_connection"]


def driver_connection(conn: ConnectionLike) -> psycopg.Connection[Any]:
    """Return psycopg's connection: the argument, or what a Connection or Session holds now."""
    if isinstance(conn, psycopg.Connection):
        return conn
    # Whoever has an object of SQLAlchemy's has imported it; nobody else pays for it.
    if "sqlalchemy" in sys.modules:
        from sqlalchemy import Connection
        from sqlalchemy.orm import Session

        held = conn.connection() if isinstance(conn, Session) else conn
        if isinstance(held, Connection):
            found = held.connection.driver_connection
            if isinstance(found, psycopg.Connection):
                return found
            raise _foreign_driver(held)
    raise UsageError(
        f"no connection: {conn!r}",
        hint="Chaos takes a psycopg.Connection, or a Connection or Session of SQLAlchemy.",
    )


def async_driver_connection(conn: AsyncConnectionLike) -> psycopg.AsyncConnection[Any]:
    """Return psycopg's connection: the argument, or what an AsyncConnection holds now."""
    if isinstance(conn, psycopg.AsyncConnection):
        return conn
    if "sqlalchemy" in sys.modules:
        from sqlalchemy.ext.asyncio import AsyncConnection

        if isinstance(conn, AsyncConnection) and conn.sync_connection is not None:
            found: Any = conn.sync_connection.connection.driver_connection
            if isinstance(found, psycopg.AsyncConnection):
                return found
            raise _foreign_driver(conn.sync_connection)
    raise UsageError(
        f"no open asynchronous connection: {conn!r}",
        hint="AsyncChaos takes a psycopg.AsyncConnection, or an AsyncConnection of SQLAlchemy: "
        "of an AsyncSession, await session.connection().",
    )


def _foreign_driver(conn: sqlalchemy.Connection) -> UsageError:
    return UsageError(
        f"this Connection goes through {conn.dialect.driver}, not through psycopg",
        hint='create_engine("postgresql+psycopg://...")',
    )
