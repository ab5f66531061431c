"""A connection that keeps the statements that were executed on it, to be told again as a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg

__all__ = ["Recorder", "Step", "connect"]


@dataclass(kw_only=True)
class Step:
    """A transaction, or a statement that was one by itself: what it executed, how it ended."""

    name: str = ""
    statements: list[str] = field(default_factory=list)
    undone: bool = False
    sqlstate: str | None = None
    """Of the error that its last statement ended in."""
    message: str | None = None
    """What that error said."""


class Recorder:
    """The steps that were recorded, in their order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._open: list[Step] = []
        self._current = Step()

    def add(self, statement: str) -> None:
        """Record a statement, as part of the transaction that is open."""
        if self._open:
            self._current = self._open[-1]
        else:
            self._current = Step()
            self.steps.append(self._current)
        self._current.statements.append(statement)

    def failed(self, error: psycopg.Error) -> None:
        """Record that the statement that came last ended in an error."""
        self._current.sqlstate = error.sqlstate
        self._current.message = error.diag.message_primary
        self._current.undone = True

    @contextmanager
    def transaction(self, *, undone: bool) -> Iterator[None]:
        """Record a transaction; of one within another that is undone nothing remains."""
        step = Step(undone=undone)
        self._open.append(step)
        try:
            yield
        except BaseException:
            step.undone = True
            raise
        finally:
            self._open.pop()
            if not self._open and step.statements:
                self.steps.append(step)
            elif self._open and not step.undone:
                self._open[-1].statements.extend(step.statements)


class _Cursor(psycopg.ClientCursor[Any]):
    """Binds on the client's side, so that what is recorded is what is sent."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        recorder = getattr(self.connection, "recorder", None)
        if recorder is None:
            return super().execute(query, params, **options)
        recorder.add(self.mogrify(query, params))
        try:
            return super().execute(query, params, **options)
        except psycopg.Error as error:
            recorder.failed(error)
            raise


class _Connection(psycopg.Connection[Any]):
    recorder: Recorder

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        with (
            self.recorder.transaction(undone=force_rollback),
            super().transaction(savepoint_name, force_rollback) as transaction,
        ):
            yield transaction


def connect(dsn: str) -> tuple[psycopg.Connection[Any], Recorder]:
    """Return an autocommit connection and what records it."""
    conn = _Connection.connect(dsn, autocommit=True, cursor_factory=_Cursor)
    conn.recorder = Recorder()
    return conn, conn.recorder
