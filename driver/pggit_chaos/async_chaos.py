"""The SQL functions of pggit_chaos as Python, over an asynchronous connection of the caller's.

``chaos.py`` is made from it: ``python driver/async_to_sync.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Error

from pggit_chaos.async_calls import fetch_rows, fetch_value, is_usable, outliving_rollback
from pggit_chaos.errors import ChaosError, ServerError
from pggit_chaos.rows import (
    Corruption,
    CorruptionKind,
    Counters,
    Digest,
    Drill,
    Finding,
    HookCount,
    IntegrityCheck,
    Outcome,
    TraceHit,
)
from pggit_chaos.sqlalchemy import async_driver_connection

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.sqlalchemy import AsyncConnectionLike

__all__ = ["AsyncChaos", "AsyncFault", "AsyncPause"]

_ARM = "SELECT pggit_chaos.arm(%s, %s, %s, %s, %s, %s, %s)"
_COUNTERS = "SELECT hits, fired FROM pggit_chaos.fault WHERE fault_id = %s"
_CORRUPTION = """
SELECT corruption_id, kind, relation, rows FROM pggit_chaos.corruption WHERE corruption_id = %s
"""


class AsyncFault:
    """An armed failpoint, and how often it was hit and fired."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], fault_id: int) -> None:
        self.fault_id = fault_id
        self._conn = conn
        self._final: Counters | None = None
        self._over = False

    @property
    async def hits(self) -> int:
        """How often execution came by."""
        counters = await self._counters()
        return counters.hits

    @property
    async def fired(self) -> int:
        """How often the fault did something; read from its counters, not from any error."""
        counters = await self._counters()
        return counters.fired

    async def _counters(self) -> Counters:
        if not self._over:
            return await self._read()
        if self._final is None:
            raise ChaosError(
                "the counters of the fault were lost with the transaction or the session "
                "that had armed it",
                hint="Arm it over an autocommit connection, or outside of a transaction.",
            )
        return self._final

    async def _read(self) -> Counters:
        async with outliving_rollback(self._conn):
            found = await fetch_rows(self._conn, Counters, _COUNTERS, (self.fault_id,))
        if not found:
            raise ChaosError(f"fault {self.fault_id} was disarmed by somebody else")
        return found[0]

    async def close(self, *, lost: bool) -> None:
        """Keep the counters for later, unless the connection can no longer tell them."""
        self._over = True
        if not lost:
            self._final = await self._read()


class AsyncPause:
    """A failpoint at which other sessions stop until they are let go."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], failpoint: str) -> None:
        self.failpoint = failpoint
        self._conn = conn

    async def wait(self, hits: int = 1, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Return when so many hits have stopped here; raise TimeoutError where they do not."""
        query = "SELECT pggit_chaos.wait_triggered(%s, %s, %s)"
        async with outliving_rollback(self._conn):
            came = await fetch_value(self._conn, query, (self.failpoint, hits, timeout))
        if not came:
            raise TimeoutError(f'nobody came to failpoint "{self.failpoint}" within {timeout}')

    async def release(self) -> int:
        """Let go whoever waits here; return how many sessions that were."""
        async with outliving_rollback(self._conn):
            return int(
                await fetch_value(self._conn, "SELECT pggit_chaos.wake(%s)", (self.failpoint,))
            )


class AsyncChaos:
    """What pggit_chaos can do in the database of ``conn``.

    That is a connection of psycopg's, or one of SQLAlchemy's that goes through
    psycopg: then ``chaos.conn`` is the psycopg connection that it holds now.

    What it says about a call of its own is a ``ChaosError``.  What pgGit says,
    and what a fault injects, stays the ``psycopg.Error`` that it is.
    """

    def __init__(self, conn: AsyncConnectionLike) -> None:
        self.conn = async_driver_connection(conn)

    # -- faults ----------------------------------------------------------

    @asynccontextmanager
    async def fault(
        self,
        failpoint: str,
        term: str = "error",
        *,
        scope: str = "session",
        start_hit: int = 1,
        end_hit: int | None = None,
        seed: int = 0,
        expires: timedelta = timedelta(minutes=5),
    ) -> AsyncIterator[AsyncFault]:
        """Arm a fault for the block, and disarm it whatever happens there.

        Outside of a transaction the arming is committed, so that a rollback in
        the block leaves it armed.  A transaction that the block began and that
        failed is rolled back on the way out: nothing else can be done with it.
        """
        arguments = (failpoint, term, scope, start_hit, end_hit, seed, expires)
        async with outliving_rollback(self.conn) as began:
            fault = AsyncFault(self.conn, await fetch_value(self.conn, _ARM, arguments))
        try:
            yield fault
        finally:
            if await is_usable(self.conn, rollback=began):
                # Where the session was lost meanwhile, nobody can disarm it: it expires.
                with suppress(ServerError):
                    async with outliving_rollback(self.conn):
                        await fault.close(lost=False)
                        await fetch_value(
                            self.conn, "SELECT pggit_chaos.disarm(%s)", (fault.fault_id,)
                        )
            else:
                await fault.close(lost=True)  # it goes with the transaction or the session

    @asynccontextmanager
    async def paused(
        self,
        failpoint: str,
        *,
        scope: str = "database",
        expires: timedelta = timedelta(minutes=5),
    ) -> AsyncIterator[AsyncPause]:
        """Stop other sessions at a failpoint for the block; on the way out all are let go.

        Call it over a connection that does not pass there itself.
        """
        async with self.fault(failpoint, "wait", scope=scope, expires=expires):
            yield AsyncPause(self.conn, failpoint)

    @asynccontextmanager
    async def lock(
        self,
        target: str,
        mode: str = "ACCESS EXCLUSIVE",
        *,
        duration: timedelta = timedelta(seconds=5),
        holder: AsyncConnectionLike | None = None,
    ) -> AsyncIterator[None]:
        """Let another session hold a lock for the block.

        The target is a table, a table with WHERE and a condition, or ``advisory``
        and one or two keys.  The session is ``holder``, an idle connection of the
        caller's, or else one that the server starts by dblink.  However the block
        ends, and if it does not, the lock is let go after ``duration``.
        """
        if holder is None:
            held = self._held_by_the_server(target, mode, duration)
        else:
            held = self._held_by(async_driver_connection(holder), target, mode, duration)
        async with held:
            yield

    async def disarm_all(self, *, everything: bool = False) -> int:
        """Disarm every fault of every session; return how many there were.

        With ``everything`` lock holds, corruptions and hooks end, too, and count.
        """
        return int(await fetch_value(self.conn, "SELECT pggit_chaos.disarm_all(%s)", (everything,)))

    # -- hooks -----------------------------------------------------------

    async def install_hooks(self, schemas: Sequence[str] | None = None) -> list[HookCount]:
        """Put the hooks into pgGit; return how many of each kind are in place."""
        names = list(schemas) if schemas is not None else None
        return await fetch_rows(
            self.conn, HookCount, "SELECT * FROM pggit_chaos.install_hooks(%s::name[])", (names,)
        )

    async def uninstall_hooks(self) -> int:
        """Take the hooks out again; return how many there were."""
        return int(
            await fetch_value(
                self.conn, "SELECT COALESCE(sum(removed), 0) FROM pggit_chaos.uninstall_hooks()"
            )
        )

    async def hooks_installed(self) -> bool:
        """Answer whether any hook is in place."""
        return bool(
            await fetch_value(self.conn, "SELECT EXISTS (SELECT FROM pggit_chaos.failpoint)")
        )

    @asynccontextmanager
    async def hooks(self) -> AsyncIterator[None]:
        """Have hooks for the block; those that were there before stay.

        A transaction that the block leaves open takes them out when it commits.
        """
        async with outliving_rollback(self.conn) as began:
            theirs = await self.hooks_installed()
            if not theirs:
                await self.install_hooks()
        try:
            yield
        finally:
            if not theirs and await is_usable(self.conn, rollback=began):
                async with outliving_rollback(self.conn):
                    await self.uninstall_hooks()

    # -- corruption ------------------------------------------------------

    async def corruption_kinds(self) -> list[CorruptionKind]:
        """Return the kinds of corruption, those that do not apply here too."""
        return await fetch_rows(
            self.conn,
            CorruptionKind,
            "SELECT kind, category, summary, detected_by, applies"
            " FROM pggit_chaos.corruption_kind ORDER BY category, kind",
        )

    @asynccontextmanager
    async def corruption(self, kind: str, seed: int = 0) -> AsyncIterator[Corruption]:
        """Corrupt for the block, and heal whatever happens there.

        A transaction that the block leaves open heals when it commits.
        Raises ChangedSinceError on the way out where the block changed a
        corrupted row: healing would undo that, too.
        """
        async with outliving_rollback(self.conn) as began:
            corruption_id = await fetch_value(
                self.conn, "SELECT pggit_chaos.corrupt(%s, %s)", (kind, seed)
            )
            (done,) = await fetch_rows(self.conn, Corruption, _CORRUPTION, (corruption_id,))
        try:
            yield done
        finally:
            if await is_usable(self.conn, rollback=began):
                async with outliving_rollback(self.conn):
                    await fetch_value(self.conn, "SELECT pggit_chaos.heal(%s)", (corruption_id,))

    async def heal_all(self) -> int:
        """Heal every corruption that is present, newest first; return how many there were."""
        return int(await fetch_value(self.conn, "SELECT pggit_chaos.heal_all()"))

    async def drill(self, kind: str, seed: int = 0) -> Drill:
        """Corrupt, see that fsck finds exactly that, heal, see that nothing remains."""
        (done,) = await fetch_rows(
            self.conn, Drill, "SELECT * FROM pggit_chaos.drill(%s, %s)", (kind, seed)
        )
        return done

    async def drill_all(self, category: str | None = None, seed: int = 0) -> list[Drill]:
        """Drill every kind that applies here, or those of one category."""
        return await fetch_rows(
            self.conn, Drill, "SELECT * FROM pggit_chaos.drill_all(%s, %s)", (category, seed)
        )

    # -- integrity -------------------------------------------------------

    async def integrity_checks(self) -> list[IntegrityCheck]:
        """Return the checks, those that do not apply here too."""
        return await fetch_rows(
            self.conn,
            IntegrityCheck,
            "SELECT check_id, category, severity, sound, summary, repairable, applies"
            " FROM pggit_chaos.integrity_check ORDER BY category, check_id",
        )

    async def fsck(
        self, checks: Sequence[str] | None = None, *, min_severity: str = "info"
    ) -> list[Finding]:
        """Run all checks, or the named ones; return what they find."""
        names = list(checks) if checks is not None else None
        return await fetch_rows(
            self.conn,
            Finding,
            "SELECT * FROM pggit_chaos.fsck(%s::text[], %s)",
            (names, min_severity),
        )

    async def digest(self) -> list[Digest]:
        """Return a hash of each part of pgGit's logical state."""
        return await fetch_rows(self.conn, Digest, "SELECT * FROM pggit_chaos.digest()")

    async def state_digest(self) -> str:
        """Return one hash of all of pgGit's logical state."""
        return str(await fetch_value(self.conn, "SELECT pggit_chaos.state_digest()"))

    # -- sweeps ----------------------------------------------------------

    async def trace(self, statement: str) -> list[TraceHit]:
        """Return which failpoints a statement passes, in order; what it did is undone."""
        return await fetch_rows(
            self.conn, TraceHit, "SELECT * FROM pggit_chaos.trace(%s)", (statement,)
        )

    async def sweep(
        self, statement: str, sqlstates: Sequence[str] = ("40001", "57014")
    ) -> list[Outcome]:
        """Run a statement once per failpoint hit with a fault there, and judge each outcome."""
        return await fetch_rows(
            self.conn,
            Outcome,
            "SELECT * FROM pggit_chaos.sweep(%s, %s::text[])",
            (statement, list(sqlstates)),
        )

    # -- how it is done --------------------------------------------------

    @asynccontextmanager
    async def _held_by_the_server(
        self, target: str, mode: str, duration: timedelta
    ) -> AsyncIterator[None]:
        hold = "SELECT pggit_chaos.hold_lock(%s, %s, %s)"
        async with outliving_rollback(self.conn) as began:
            hold_id = await fetch_value(self.conn, hold, (target, mode, duration))
        try:
            yield
        finally:
            if await is_usable(self.conn, rollback=began):
                # Where this session was lost meanwhile, the hold has ended with it.
                with suppress(ServerError):
                    async with outliving_rollback(self.conn):
                        await fetch_value(
                            self.conn, "SELECT pggit_chaos.release_lock(%s)", (hold_id,)
                        )

    @asynccontextmanager
    async def _held_by(
        self,
        holder: psycopg.AsyncConnection[Any],
        target: str,
        mode: str,
        duration: timedelta,
    ) -> AsyncIterator[None]:
        query = "SELECT pggit_chaos._lock_statement(%s, upper(%s))"
        async with outliving_rollback(self.conn):
            statement = await fetch_value(self.conn, query, (target, mode))
        try:
            if holder.autocommit:
                await holder.execute("BEGIN")
            # PostgreSQL ends the session if the block does not: nobody waits for ever.
            milliseconds = str(max(1, round(duration.total_seconds() * 1000)))
            timeout = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"
            await holder.execute(timeout, (milliseconds,))
            await holder.execute(statement)
            yield
        finally:
            with suppress(Error):  # the session may have ended by itself, as it should
                await holder.rollback()
