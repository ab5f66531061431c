"""What happens to a client: delays, sessions that end, and what is the same afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import scalar_row, tuple_row

from pggit_chaos.errors import UsageError
from pggit_chaos.retry import with_retry

if TYPE_CHECKING:
    import psycopg

__all__ = ["ChaosInjector", "ConnectionFailure", "Snapshot"]

_PATIENCE = 10_000  # milliseconds
_TERMINATE = "SELECT pg_catalog.pg_terminate_backend(%s, %s)"
_DIGESTS = """
SELECT d.relation, d.digest
  FROM pggit_chaos.digest() AS d
 WHERE d.relation NOT IN (SELECT pg_catalog.format('%I.%I', s.schemaname, s.sequencename)
                            FROM pg_catalog.pg_sequences AS s)
"""


@dataclass(frozen=True, kw_only=True)
class ConnectionFailure:
    """Whether the session was ended."""

    struck: bool


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """pgGit's logical state at one moment, as a digest of each part of it."""

    digests: Mapping[str, str]

    def changes(self, later: Snapshot) -> list[str]:
        """Return the parts that are not the same in a later one."""
        parts = self.digests.keys() | later.digests.keys()
        return sorted(p for p in parts if self.digests.get(p) != later.digests.get(p))


class ChaosInjector:
    """Delays a client, and ends its session, as often as a seed says.

    ``victim`` is the session to be ended, a psycopg connection of either kind;
    ``observer`` an autocommit connection to the same server that may end it, and
    that sees the state.  One seed makes the same choices in the same order.
    """

    def __init__(
        self,
        victim: psycopg.Connection[Any] | psycopg.AsyncConnection[Any] | None = None,
        observer: psycopg.Connection[Any] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self._victim = victim
        self._observer = observer
        self._random = random.Random(seed)  # noqa: S311 no secret is drawn from it

    async def random_delay(self, min_ms: float = 0, max_ms: float = 100) -> float:
        """Wait for some time between the two; return how many milliseconds it was to be."""
        if not 0 <= min_ms <= max_ms:
            raise UsageError(f"no delay is between {min_ms} and {max_ms} milliseconds")
        delay = self._random.uniform(min_ms, max_ms)
        await asyncio.sleep(delay / 1000)
        return delay

    @contextmanager
    def simulate_connection_failure(self, probability: float = 1.0) -> Iterator[ConnectionFailure]:
        """End the victim's session on the server before the block, or leave it alone.

        A session that is ended is gone when the block begins: its transaction is
        rolled back, its locks are free, and the next statement over the connection
        raises an OperationalError, 57P01 where the server could still say so.
        """
        if not 0 <= probability <= 1:
            raise UsageError(f"{probability} is not a probability")
        struck = self._random.random() < probability
        if struck:
            self.terminate()
        yield ConnectionFailure(struck=struck)

    def terminate(self) -> None:
        """End the victim's session; return when it is gone."""
        if self._victim is None:
            raise UsageError("there is no session to be ended", hint="ChaosInjector(victim, ...)")
        pid = self._victim.info.backend_pid
        with self._watching().cursor(row_factory=scalar_row) as cursor:
            ended = cursor.execute(_TERMINATE, (pid, _PATIENCE)).fetchone()
        if not ended:
            raise TimeoutError(f"session {pid} did not end within {_PATIENCE} ms")

    with_retry: Final = staticmethod(with_retry)

    def snapshot(self) -> Snapshot:
        """Return pgGit's logical state as everybody sees it now: of what is committed.

        Sequences are not in it: a rollback does not turn them back.
        """
        with self._watching().cursor(row_factory=tuple_row) as cursor:
            return Snapshot(digests=dict(cursor.execute(_DIGESTS).fetchall()))

    def _watching(self) -> psycopg.Connection[Any]:
        if self._observer is None:
            raise UsageError(
                "that takes a second connection", hint="ChaosInjector(victim, observer)"
            )
        return self._observer
