"""Migrations that fail in the middle: what the records say of the half that happened."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import errors

from pggit_chaos.chaos import Chaos
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.retry import with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.corruption, pytest.mark.migration]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

GROUND = (
    "CREATE TABLE public.customer (id integer PRIMARY KEY, name text)",
    "INSERT INTO public.customer VALUES (1, 'a'), (2, 'a')",
    "CREATE TABLE public.old (id integer)",
)
MIGRATION = (
    "CREATE TABLE public.account (id integer PRIMARY KEY, customer_id integer)",
    "ALTER TABLE public.customer ADD COLUMN email text",
    "CREATE INDEX customer_email ON public.customer (email)",
    "CREATE VIEW public.report AS SELECT c.name, c.email FROM public.customer AS c",
    "DROP TABLE public.old",
    "ALTER TABLE public.account ADD FOREIGN KEY (customer_id) REFERENCES public.customer",
    "ALTER TABLE public.account ADD COLUMN balance numeric",
)
WRONG = "ALTER TABLE public.customer ADD CONSTRAINT one_a UNIQUE (id, nobody)"


@pytest.fixture
def ground(pggit: Target) -> Target:
    """A pgGit with the schema that the migration is for."""
    for statement in GROUND:
        pggit.conn.execute(statement.encode())
    pggit.commit("main", "before the migration")
    return pggit


def _run(conn: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        conn.execute(statement.encode())


def _require_no_drift(conn: Connection) -> None:
    drift = Records(conn).drift()
    assert not drift, f"the records are not what the schema is: {drift}"


def _versions(conn: Connection) -> dict[tuple[str, str], int]:
    return {key: each.version for key, each in Records(conn).objects().items() if each.active}


class TestInOneTransaction:
    @pytest.mark.parametrize("step", cases(range(1, len(MIGRATION) + 1, 2), smoke=[3]))
    def test_a_migration_that_fails_never_was(
        self, ground: Target, sync_conn: Connection, chaos_injector: ChaosInjector, step: int
    ) -> None:
        """Promise: the records of a migration that was rolled back are those from before it."""
        before = chaos_injector.snapshot()
        _run(sync_conn, MIGRATION[:step])
        with pytest.raises(errors.UndefinedColumn):
            sync_conn.execute(WRONG)
        sync_conn.rollback()
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a migration that failed after {step} steps left {changed}"
        _require_no_drift(ground.conn)

    @pytest.mark.slow
    def test_a_migration_that_is_mended_is_recorded_once(
        self, ground: Target, sync_conn: Connection
    ) -> None:
        """Promise: a failed attempt leaves no version and no history to the one that succeeds."""
        _run(sync_conn, MIGRATION)
        once = _versions(sync_conn)
        for statement in (WRONG, "SELECT 1 / 0"):
            with pytest.raises(psycopg.Error):
                sync_conn.execute(statement.encode())
            sync_conn.rollback()
            _run(sync_conn, MIGRATION)
        sync_conn.commit()
        assert _versions(ground.conn) == once
        drift = Records(ground.conn).drift()
        assert not drift, f"the migration is done, and {drift}"

    @pytest.mark.slow
    def test_a_savepoint_keeps_the_first_half(self, ground: Target, sync_conn: Connection) -> None:
        """Promise: a migration that goes back to a savepoint is recorded up to there."""
        _run(sync_conn, MIGRATION[:2])
        with pytest.raises(errors.UndefinedColumn), sync_conn.transaction():
            _run(sync_conn, (*MIGRATION[2:], WRONG))
        sync_conn.commit()
        records = Records(ground.conn)
        _require_no_drift(ground.conn)
        assert records.columns("customer") == {"id", "name", "email"}


class TestStepByStep:
    @pytest.mark.slow
    def test_a_migration_without_a_transaction_is_recorded_as_far_as_it_came(
        self, ground: Target
    ) -> None:
        """Promise: of statements that are committed one by one each is recorded by itself."""
        done = MIGRATION[:4]
        with pytest.raises(errors.UndefinedColumn):
            _run(ground.conn, (*done, WRONG, *MIGRATION[4:]))
        records = Records(ground.conn)
        drift = records.drift()
        assert not drift, f"after four statements, and one that failed: {drift}"
        _run(ground.conn, MIGRATION[4:])
        drift = records.drift()
        assert not drift, f"after the migration was run to its end: {drift}"

    @pytest.mark.slow
    def test_a_migration_that_is_run_again_changes_nothing(self, ground: Target) -> None:
        """Promise: a statement that has nothing to do gives no version."""
        again = (
            "CREATE TABLE IF NOT EXISTS public.account (id integer)",
            "ALTER TABLE public.customer ADD COLUMN IF NOT EXISTS email text",
            "CREATE INDEX IF NOT EXISTS customer_email ON public.customer (email)",
            "DROP TABLE IF EXISTS public.unknown",
        )
        _run(ground.conn, again)
        records = Records(ground.conn)
        history = records.history("public.customer")
        _run(ground.conn, again)
        drift = records.drift()
        assert not drift, f"after IF NOT EXISTS: {drift}"
        creations = [change.change for change in records.history("public.account")]
        assert creations.count("CREATE") == 1, f"created once, recorded as {creations}"
        kinds = {change.change for change in records.history("public.customer")[len(history) :]}
        assert kinds <= {"ALTER"}

    def test_an_index_that_could_not_be_built_is_not_taken_for_one(self, ground: Target) -> None:
        """Promise: what CREATE INDEX CONCURRENTLY leaves behind does not stop the next try."""
        create = "CREATE UNIQUE INDEX CONCURRENTLY one_name ON public.customer (name)"
        with pytest.raises(errors.UniqueViolation):
            ground.conn.execute(create)
        ground.conn.execute("DROP INDEX public.one_name")
        ground.conn.execute("DELETE FROM public.customer WHERE id = 2")
        ground.conn.execute(create)
        records = Records(ground.conn)
        drift = records.drift()
        assert not drift, f"after the second try: {drift}"
        assert "public.one_name" in records.active(["INDEX"])


class TestFromOutside:
    @pytest.mark.slow
    def test_a_migration_that_cannot_have_its_lock_leaves_nothing(
        self,
        ground: Target,
        sync_conn: Connection,
        chaos_connect: Connect,
        chaos_injector: ChaosInjector,
    ) -> None:
        """Promise: lock_timeout ends a migration whole.  Failure: somebody reads the table."""
        reader = chaos_connect()
        reader.execute("SELECT FROM public.customer")
        before = chaos_injector.snapshot()
        sync_conn.execute("SET LOCAL lock_timeout = '50ms'")
        sync_conn.execute(MIGRATION[0].encode())
        with pytest.raises(errors.LockNotAvailable):
            sync_conn.execute(MIGRATION[1].encode())
        sync_conn.rollback()
        assert before.changes(chaos_injector.snapshot()) == []
        reader.rollback()
        _run(sync_conn, MIGRATION)
        sync_conn.commit()
        _require_no_drift(ground.conn)

    @pytest.mark.parametrize("how", cases(["cancelled", "terminated"], smoke=["cancelled"]))
    def test_a_migration_that_is_interrupted_leaves_nothing(
        self,
        chaos: Chaos,
        ground: Target,
        sync_conn: Connection,
        chaos_injector: ChaosInjector,
        how: str,
    ) -> None:
        """Promise: all or nothing.  Failure: interrupted while pgGit records the second step."""
        before = chaos_injector.snapshot()
        sync_conn.execute(MIGRATION[0].encode())
        with ThreadPoolExecutor(1) as pool, chaos.paused("pggit.history.insert.before") as pause:
            migration = pool.submit(_run, sync_conn, MIGRATION[1:])
            pause.wait()
            if how == "cancelled":
                sync_conn.cancel_safe()
                expected: type[psycopg.Error] = errors.QueryCanceled
            else:
                chaos_injector.terminate()
                expected = errors.AdminShutdown
            with pytest.raises(expected):
                migration.result()
        if not sync_conn.closed:
            sync_conn.rollback()
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a migration that was {how} left something in {changed}"
        _require_no_drift(ground.conn)

    @pytest.mark.slow
    def test_two_migrations_of_one_table_are_both_recorded(
        self,
        ground: Target,
        sync_conn: Connection,
        chaos_connect: Connect,
        transaction_monitor: Any,
    ) -> None:
        """Promise: the second waits for the first, and the records have both."""
        other = chaos_connect()
        sync_conn.execute("ALTER TABLE public.customer ADD COLUMN one text")
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(other.execute, "ALTER TABLE public.customer ADD COLUMN other text")
            transaction_monitor.wait_until_blocked(other.info.backend_pid)
            sync_conn.commit()
            second.result()
        other.commit()
        records = Records(ground.conn)
        assert records.columns("customer") == {"id", "name", "one", "other"}
        versions = [change.new_version for change in records.history("public.customer")]
        assert len(set(versions)) == len(versions), f"a version twice: {versions}"

    @pytest.mark.slow
    def test_an_event_trigger_of_somebody_else_can_refuse(
        self, ground: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a change that another event trigger refuses is not recorded."""
        conn = ground.conn
        with conn.transaction():
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(
                "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'insufficient_privilege'; END $$"
            )
            conn.execute(
                "CREATE EVENT TRIGGER zz_refuse ON ddl_command_end EXECUTE FUNCTION public.refuse()"
            )
        before = chaos_injector.snapshot()
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute(MIGRATION[0].encode())
        with suppress(errors.InsufficientPrivilege):
            conn.execute(MIGRATION[1].encode())
        changed = before.changes(chaos_injector.snapshot())
        conn.execute("DROP EVENT TRIGGER zz_refuse")
        conn.execute("DROP FUNCTION public.refuse()")
        assert not changed, f"refused, and yet recorded in {changed}"
        _require_no_drift(conn)


class TestInsidePgGit:
    @pytest.mark.parametrize("sqlstate", cases(["40001", "53100"], smoke=["53100"]))
    def test_a_step_that_cannot_be_recorded_does_not_happen(
        self, chaos: Chaos, ground: Target, sqlstate: str
    ) -> None:
        """Promise: no schema change without its record.  Failure: the record cannot be written."""
        conn = ground.conn
        with chaos.fault("pggit.objects.insert.before", f"1*error({sqlstate})") as fault:
            with pytest.raises(psycopg.Error) as caught:
                conn.execute(MIGRATION[0].encode())
            assert fault.fired == 1
            assert caught.value.sqlstate == sqlstate
        drift = Records(conn).drift()
        assert not drift, f"the change failed, and {drift}"
        _run(conn, MIGRATION)
        _require_no_drift(conn)

    @pytest.mark.slow
    def test_a_migration_is_retried_as_a_whole(
        self, chaos: Chaos, ground: Target, sync_conn: Connection
    ) -> None:
        """Promise: 40001 in the middle of a migration, and a retry has it recorded once."""
        _run(sync_conn, MIGRATION)
        once = _versions(sync_conn)
        sync_conn.rollback()

        def migrate() -> None:
            _run(sync_conn, MIGRATION)
            sync_conn.commit()

        with chaos.fault(
            "pggit.history.insert.after", "2*off->1*error(40001)->off", scope="database"
        ) as fault:
            with_retry(migrate, backoff=0, before_retry=lambda error: sync_conn.rollback())
            assert fault.fired == 1
        assert _versions(ground.conn) == once
        _require_no_drift(ground.conn)
