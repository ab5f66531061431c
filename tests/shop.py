"""An application by SQLAlchemy: a shop that stores orders and commits each to pgGit."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

APPLICATION: Final = "shop"
SCOPE: Final = f"application:{APPLICATION}"


class Base(DeclarativeBase):
    pass


class Order(Base):
    """Nothing in it is unique but its number: what is stored twice shows."""

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


def place(session: Session, item: str) -> Order:
    """Store an order and commit it to pgGit; the caller commits the transaction."""
    placed = Order(item=item)
    session.add(placed)
    session.flush()
    session.execute(text("SELECT pggit.commit_changes('main', :item, NULL)"), {"item": item})
    return placed


def order(engine: Engine, item: str) -> None:
    """Store an order in a transaction of its own."""
    with Session(engine) as session, session.begin():
        place(session, item)


class Shop:
    """What the shop has stored, seen over a connection that is none of the shop's."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        conn.execute("CREATE TABLE public.orders (number serial PRIMARY KEY, item text NOT NULL)")

    def stored(self, item: str) -> tuple[int, int]:
        """Return how many orders of an item there are, and how many commits."""
        orders = self._count("SELECT count(*) FROM public.orders WHERE item = %s", item)
        commits = self._count("SELECT count(*) FROM pggit.commits WHERE message = %s", item)
        return orders, commits

    def sessions(self) -> list[int]:
        """Return the server's processes that serve the shop."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid"
        return [row[0] for row in self.conn.execute(query, (APPLICATION,))]

    def end_sessions(self) -> int:
        """End all of them, as an administrator does; return how many there were when gone."""
        pids = self.sessions()
        for pid in pids:
            self.conn.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        return len(pids)

    def wait_until_blocked(self) -> None:
        """Return when a transaction of the shop's waits for another one."""
        self.wait_for("SELECT FROM pg_stat_activity WHERE wait_event = 'transactionid'")

    def wait_for(self, query: str) -> None:
        """Return when the query finds a row."""
        while self.conn.execute(query.encode()).fetchone() is None:
            self.conn.execute("SELECT pg_sleep(0.005)")

    def _count(self, query: str, item: str) -> int:
        row = self.conn.execute(query.encode(), (item,)).fetchone()
        assert row is not None
        return int(row[0])
