"""In whatever order faults are armed, woken, rolled back and killed, the documentation holds.

What it says strikes, strikes; every counter is right; nobody hangs; nothing stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.pq import TransactionStatus

from catalogue import fingerprint
from engine.model import Engine, Fault, Passage, Session, Step, Struck
from pggit_chaos import extension
from pggit_chaos.cluster import Cluster

PATIENCE = 20.0
SESSIONS = 3
# A small pgGit: what it passes is known exactly, and hooking it costs little.
LAB = """
CREATE SCHEMA pggit_lab;
CREATE TABLE pggit_lab.note (id integer GENERATED ALWAYS AS IDENTITY, body text);
CREATE FUNCTION pggit_lab.entry() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION pggit_lab.write() RETURNS void LANGUAGE plpgsql
    AS 'BEGIN PERFORM pggit_lab.entry(); INSERT INTO pggit_lab.note (body) VALUES (''new''); END';
CREATE SCHEMA lab_0;
CREATE SCHEMA lab_1;
CREATE SCHEMA lab_2;
"""
OPERATIONS = {
    "calling": "SELECT pggit_lab.entry()",
    "writing": "SELECT pggit_lab.write()",
    "commenting": "COMMENT ON SCHEMA lab_{session} IS 'a word'",
}
BEFORE_ROW = ("pggit_lab.note.insert.before", "pggit_lab.*.before")
FAILPOINTS = (
    "pggit_lab.entry()",
    "pggit_lab.write()",
    "pggit_lab.note.insert.before",
    "pggit_lab.note.insert.after",
    "pggit_lab.note.insert.commit",
    "pggit_lab.*.before",
    "pggit_lab.note.insert.*",
    "ddl.COMMENT.start",
    "ddl.COMMENT.end",
    "ddl.*",
    "*",
)
ACTIONS = ("off", "notice(one)", "notice(two)", "error", "error(40001)", "wait")
SCOPES = ("session", "database", "pid", "role:postgres", "role:pg_monitor", "application")

# What is ours or hooked, by its text; and what only arming leaves.
TRACES = """
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid)
  FROM pg_proc AS p
 WHERE p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
   AND p.prokind IN ('f', 'p')
UNION ALL
SELECT t.tgrelid::regclass::text, pg_get_triggerdef(t.oid) FROM pg_trigger AS t
UNION ALL
SELECT e.evtname, concat_ws(' ', e.evtfoid::regprocedure, e.evtenabled) FROM pg_event_trigger AS e
UNION ALL
SELECT 'advisory lock', l::text
  FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
 WHERE l.locktype = 'advisory' AND d.datname = current_database()
UNION ALL
SELECT 'fault', f::text FROM pggit_chaos._fault AS f
UNION ALL
SELECT 'skipped', h::text FROM pggit_chaos._skipped_hook AS h
UNION ALL
SELECT 'hooked', h::text FROM pggit_chaos._hooked_schema AS h
 ORDER BY 1, 2
"""
JOURNALLED = "SELECT count(*) FROM pg_prepared_statements WHERE name ~ 'pggit_chaos'"


def steps() -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        action=st.sampled_from(ACTIONS),
        left=st.none() | st.integers(1, 3),
        probability=st.sampled_from((None, None, None, 0, 100)),
    )


class Bench:
    """The server side: the connections, and statements that run while we look."""

    def __init__(self, cluster: Cluster, database: str) -> None:
        self._cluster, self._database = cluster, database
        self.pool = ThreadPoolExecutor(SESSIONS + 1)
        self.control = self.connect("control")
        self.connections: dict[int, psycopg.Connection[Any]] = {}

    def connect(self, application: str) -> psycopg.Connection[Any]:
        return self._cluster.connect(
            self._database,
            autocommit=True,
            application_name=application,
            # A hang is an error within the test's own time.
            options="-c statement_timeout=15s -c lock_timeout=10s",
        )

    def session(self, number: int) -> Session:
        """Return a session in its first state, over a connection that may be an old one."""
        conn = self.connections.get(number)
        if conn is not None and conn.info.transaction_status != TransactionStatus.IDLE:
            conn.close()  # the sequence before this one failed
        if conn is None or conn.closed:
            conn = self.connections[number] = self.connect(f"lab {number}")
        return Session(number=number, pid=conn.info.backend_pid)

    def close(self) -> None:
        for conn in (*self.connections.values(), self.control):
            conn.close()
        self.pool.shutdown()

    def scalar(self, query: str, *arguments: Any, session: Session | None = None) -> Any:
        conn = self.control if session is None else self.connections[session.number]
        row = conn.execute(query, arguments).fetchone()
        return row[0] if row else None

    def terminate(self, session: Session) -> None:
        """End a session from outside; its own wait for that takes tenths of seconds."""
        deadline = time.monotonic() + PATIENCE
        while self.scalar("SELECT pg_terminate_backend(%s)", session.pid):
            assert time.monotonic() < deadline, "does not die"

    def until_it_waits(self, session: Session, running: Future[Any]) -> None:
        """Return when a session sleeps in a failpoint, which its statement does not survive."""
        deadline = time.monotonic() + PATIENCE
        query = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
        while self.scalar(query, session.pid) != "PgSleep":
            assert not running.done(), f"did not wait: {running.result()}"
            assert time.monotonic() < deadline, "never came to wait"


class FaultMachine(RuleBasedStateMachine):
    """Random sequences against the model."""

    bench: Bench

    @initialize()
    def begin_again(self) -> None:
        self.engine = Engine()
        self.sessions = [self.bench.session(number) for number in range(SESSIONS)]
        self.bench.scalar("SELECT pggit_chaos.disarm_all(everything => true)")
        self.bench.scalar("SELECT count(*) FROM pggit_chaos.install_hooks()")
        self.waiting: dict[int, tuple[Passage, Fault, Future[Any]]] = {}
        self.told: dict[int, list[str]] = {}
        self.rows = self.bench.scalar("SELECT count(*) FROM pggit_lab.note")
        self.written = {session.number: 0 for session in self.sessions}
        for session in self.sessions:
            self._listen(session)

    # -- what a session does ---------------------------------------------

    @rule(number=st.integers(0, SESSIONS - 1), operation=st.sampled_from(sorted(OPERATIONS)))
    def run(self, number: int, operation: str) -> None:
        session = self._idle(number)
        if session is None or session.failed or session.read_only:
            return
        passage = getattr(self.engine, operation)(session)
        statement = OPERATIONS[operation].format(session=number)
        self._go_on(session, passage, self._submit(session, statement))

    @rule(number=st.integers(0, SESSIONS - 1))
    def read_only(self, number: int) -> None:
        """Nothing strikes where no counter can move."""
        session = self._idle(number)
        if session is None or session.begun is not None:
            return
        conn = self.bench.connections[number]
        with conn.transaction(force_rollback=True):
            conn.execute("SET TRANSACTION READ ONLY")
            conn.execute(OPERATIONS["calling"])

    @rule(
        number=st.integers(0, SESSIONS - 1),
        level=st.sampled_from(("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")),
    )
    def begin(self, number: int, level: str) -> None:
        session = self._idle(number)
        if session is None or session.begun is not None:
            return
        session.begun = level
        conn = self.bench.connections[number]
        conn.execute(f"BEGIN ISOLATION LEVEL {level}")
        conn.execute("SELECT count(*) FROM pggit_lab.note")  # takes the snapshot

    @rule(number=st.integers(0, SESSIONS - 1), commit=st.booleans())
    def end(self, number: int, commit: bool) -> None:
        session = self._idle(number)
        if session is None or session.begun is None:
            return
        if commit and not session.failed:
            self._go_on(session, self.engine.committing(session), self._submit(session, "COMMIT"))
        else:
            self.bench.connections[number].execute("ROLLBACK")
            self._end(session, committed=False)

    @rule(number=st.integers(0, SESSIONS - 1))
    def kill(self, number: int) -> None:
        session = self.sessions[number]
        self.bench.terminate(session)
        if number in self.waiting:
            passage, _, running = self.waiting.pop(number)
            passage.close()
            with pytest.raises(psycopg.OperationalError):
                running.result(PATIENCE)
        self.bench.connections[number].close()
        self._end(session, committed=False)
        for fault in self.engine.faults:
            if fault.bound_to == session.pid:
                fault.dead = True
        self.sessions[number] = self.bench.session(number)
        self._listen(self.sessions[number])

    # -- what is armed ---------------------------------------------------

    @rule(
        number=st.integers(0, SESSIONS - 1),
        failpoint=st.sampled_from(FAILPOINTS),
        steps=st.lists(steps(), min_size=1, max_size=3),
        scope=st.sampled_from(SCOPES),
        other=st.integers(0, SESSIONS - 1),
        start=st.integers(1, 3),
        length=st.none() | st.integers(0, 3),
        expired=st.sampled_from((False, False, False, True)),
    )
    def arm(
        self,
        number: int,
        failpoint: str,
        steps: list[Step],
        scope: str,
        other: int,
        start: int,
        length: int | None,
        expired: bool,
    ) -> None:
        session = self._arming(number)
        if session is None or (scope != "session" and self._shares_are_locked(session)):
            return
        if scope == "pid":
            scope = f"pid:{self.sessions[other].pid}"
        elif scope == "application":
            scope = f"application:{self.sessions[other].application}"
        if failpoint in BEFORE_ROW and steps[0].action == "error":
            steps[0].action = "skip"
        term = "->".join(map(str, steps))
        end = None if length is None else start + length
        fault_id = self._scalar_or_refusal(
            session,
            "SELECT pggit_chaos.arm(%s, %s, %s, %s, %s, expires => %s)",
            *(failpoint, term, scope, start, end, "1 microsecond" if expired else "1 hour"),
        )
        note(f"fault {fault_id}: {failpoint} {term} {scope} by {number}")
        if fault_id is None:
            return
        self.engine.faults.append(
            Fault(
                fault_id=fault_id,
                failpoint=failpoint,
                steps=steps,
                scope=scope,
                owner=session.pid,
                start=start,
                end=end,
                pending=session.pid if session.begun else None,
                dead=expired,
            )
        )

    @rule(number=st.integers(0, SESSIONS - 1), data=st.data())
    def disarm(self, number: int, data: st.DataObject) -> None:
        session = self._arming(number)
        faults = [] if session is None else self._visible(session)
        if session is None or not faults:
            return
        fault = data.draw(st.sampled_from(faults))
        if fault.is_shared and self._shares_are_locked(session):
            return
        was_dead = fault.dead
        fault.dead = True
        answer = self.bench.scalar("SELECT pggit_chaos.disarm(%s)", fault.fault_id, session=session)
        assert answer or was_dead
        self._remember_share(session, [fault])
        self._follow()

    @rule(number=st.integers(0, SESSIONS - 1))
    def disarm_all(self, number: int) -> None:
        session = self._arming(number)
        if session is None or self._shares_are_locked(session):
            return
        faults = self._visible(session)
        live = [fault for fault in faults if not fault.dead]
        for fault in faults:
            fault.dead = True
        answer = self.bench.scalar("SELECT pggit_chaos.disarm_all()", session=session)
        assert answer >= len(live)
        self._remember_share(session, faults)
        self._follow()

    @precondition(lambda self: not self._shares_are_locked(None))
    @rule(failpoint=st.sampled_from(FAILPOINTS), disarm=st.booleans())
    def wake(self, failpoint: str, disarm: bool) -> None:
        waiting = [
            number for number, (_, fault, _) in self.waiting.items() if fault.failpoint == failpoint
        ]
        if not self.engine.hooked and not waiting:
            return
        woken = self.bench.scalar("SELECT pggit_chaos.wake(%s, %s)", failpoint, disarm)
        assert woken == len(waiting)
        if disarm:
            held = {self.waiting[number][1].fault_id for number in waiting}
            for fault in self.engine.faults:
                if fault.fault_id in held or (
                    fault.failpoint == failpoint and fault.pending is None
                ):
                    fault.dead = True
        self._follow(*waiting)

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """Let the time of a fault be over, by taking its time away."""
        held = {id(fault) for _, fault, _ in self.waiting.values()}
        faults = [
            fault
            for fault in self.engine.faults
            if fault.scope == "session"
            and not fault.dead
            and fault.pending is None
            and id(fault) not in held
            and all(s.begun is None for s in self.sessions if s.pid == fault.owner)
        ]
        if not faults:
            return
        fault = data.draw(st.sampled_from(faults))
        fault.dead = True
        self.bench.control.execute(
            "UPDATE pggit_chaos._fault SET expires_at = clock_timestamp() WHERE fault_id = %s",
            [fault.fault_id],
        )

    # -- hooks -----------------------------------------------------------

    @rule(hooked=st.booleans())
    def hook(self, hooked: bool) -> None:
        """Where no transaction has written to the tables: both need them for themselves."""
        if any(session.begun for session in self.sessions) or any(
            "entry()" not in fault.failpoint for _, fault, _ in self.waiting.values()
        ):
            return
        call = "install_hooks" if hooked else "uninstall_hooks"
        self.bench.scalar(f"SELECT count(*) FROM pggit_chaos.{call}()")
        self.engine.hooked = hooked

    # -- what holds at any time ------------------------------------------

    @invariant()
    def every_counter_is_right(self) -> None:
        if not hasattr(self, "engine"):
            return
        seen = {
            fault_id: (state, hits, fired)
            for fault_id, state, hits, fired in self.bench.control.execute(
                "SELECT fault_id, state, hits, fired FROM pggit_chaos.fault"
            ).fetchall()
        }
        expected = {
            fault.fault_id: (fault.state, fault.hits, fault.fired)
            for fault in self.engine.faults
            if fault.pending is None and not fault.dead
        }
        assert {i: row for i, row in seen.items() if i in expected} == expected
        # A fault that is over may have been forgotten, or be listed as what it is.
        dead = {fault.fault_id for fault in self.engine.faults if fault.dead}
        others = {i: row[0] for i, row in seen.items() if i not in expected}
        assert set(others) <= dead
        assert set(others.values()) <= {"expired"}

    @invariant()
    def every_row_is_where_it_should_be(self) -> None:
        if hasattr(self, "engine"):
            assert self.bench.scalar("SELECT count(*) FROM pggit_lab.note") == self.rows

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        # The one call, while sessions wait and have transactions open.
        cleaning = self.bench.pool.submit(
            self.bench.scalar, "SELECT pggit_chaos.disarm_all(everything => true)"
        )
        for number, (passage, _, running) in list(self.waiting.items()):
            passage.close()
            try:
                running.result(PATIENCE)
            except psycopg.Error as error:
                assert error.sqlstate in {"40001", "PC100"}  # noqa: PT017 it may end well, too
            del self.waiting[number]
        for conn in self.bench.connections.values():
            conn.execute("ROLLBACK")
        cleaning.result(PATIENCE)
        if any(session.begun for session in self.sessions):
            # What an open transaction does is unseen, and it can put back a row that it removed.
            self.bench.scalar("SELECT pggit_chaos.disarm_all(everything => true)")
        assert self.bench.scalar("SELECT pggit_chaos._armed()") is not True
        for conn in self.bench.connections.values():
            assert conn.execute(JOURNALLED).fetchone() == (0,)
            conn.execute("RESET pggit_chaos.armed")
        traces = self.bench.control.execute(TRACES).fetchall()
        assert set(traces) ^ set(self.bench.traces) == set()

    # -- how it is done --------------------------------------------------

    def _idle(self, number: int) -> Session | None:
        return None if number in self.waiting else self.sessions[number]

    def _arming(self, number: int) -> Session | None:
        """A session that sees what is armed: not one with an old snapshot."""
        session = self._idle(number)
        if session is None or session.failed or session.begun not in (None, "READ COMMITTED"):
            return None
        return session

    def _visible(self, session: Session) -> list[Fault]:
        return [fault for fault in self.engine.faults if fault.is_visible(session.pid)]

    def _shares_are_locked(self, session: Session | None) -> bool:
        """Whether another session changes the shared faults in an open transaction."""
        pid = session.pid if session is not None else None
        return any(holder != pid for holder in self._sharing())

    def _sharing(self) -> set[int]:
        return {s.pid for s in self.sessions if s.begun and getattr(s, "shares", False)} | {
            fault.pending for fault in self.engine.faults if fault.pending and fault.is_shared
        }

    def _remember_share(self, session: Session, faults: list[Fault]) -> None:
        if session.begun and any(fault.is_shared for fault in faults):
            session.shares = True

    def _scalar_or_refusal(self, session: Session, query: str, *arguments: Any) -> Any:
        """Arm; where no hooks are in place that is refused, and ends a transaction."""
        if self.engine.hooked:
            return self.bench.scalar(query, *arguments, session=session)
        with pytest.raises(psycopg.DatabaseError) as refusal:
            self.bench.scalar(query, *arguments, session=session)
        assert refusal.value.sqlstate == "PC003"
        session.failed = session.begun is not None
        return None

    def _listen(self, session: Session) -> None:
        told = self.told[session.number] = []
        conn = self.bench.connections[session.number]
        conn.add_notice_handler(
            lambda notice: (
                told.append(notice.message_primary) if notice.schema_name == "pggit_chaos" else None
            )
        )

    def _submit(self, session: Session, statement: str) -> Future[Any]:
        return self.bench.pool.submit(self.bench.connections[session.number].execute, statement)

    def _follow(self, *woken: int) -> None:
        """Go on with the sessions whose wait is over: woken, or their fault disarmed."""
        for number, (passage, fault, running) in list(self.waiting.items()):
            if number in woken or fault.dead:
                del self.waiting[number]
                self._go_on(self.sessions[number], passage, running)

    def _go_on(self, session: Session, passage: Passage, running: Future[Any]) -> None:
        committing = session.begun is None or passage.gi_code.co_name == "committing"  # type: ignore[attr-defined]
        try:
            fault = next(passage)
        except StopIteration:
            running.result(PATIENCE)
            if committing:
                self._end(session, committed=True)
        except Struck as struck:
            with pytest.raises(psycopg.Error) as error:
                running.result(PATIENCE)
            assert error.value.sqlstate == struck.sqlstate  # noqa: PT017 the model raised it
            assert error.value.diag.schema_name == "pggit_chaos"
            if committing:
                self._end(session, committed=False)
            else:
                session.failed = True
        else:
            self.bench.until_it_waits(session, running)
            self.waiting[session.number] = (passage, fault, running)
        assert self.told[session.number] == session.told

    def _end(self, session: Session, *, committed: bool) -> None:
        """A transaction is over, be it that of one statement."""
        for fault in list(self.engine.faults):
            if fault.pending == session.pid:
                fault.pending = None
                if not committed:
                    self.engine.faults.remove(fault)
        if committed:
            self.rows += session.deferred
        session.deferred, session.begun, session.failed = 0, None, False
        session.shares = False


@contextmanager
def laboratory(cluster: Cluster, database: str) -> Iterator[Bench]:
    with cluster.connect(database, autocommit=True) as conn:
        conn.execute(LAB)
        extension.install(conn)
        extension.enable(conn)
        whole = fingerprint(conn)
    bench = Bench(cluster, database)
    bench.traces = bench.control.execute(TRACES).fetchall()
    try:
        yield bench
    finally:
        bench.close()
    with cluster.connect(database, autocommit=True) as conn:
        rows = {"pggit_lab.note", "pggit_lab.note_id_seq", "pg_description", "pg_proc"}
        after = fingerprint(conn)
        assert {name for name in whole if whole[name] != after[name]} <= rows


@pytest.mark.one_version
@pytest.mark.timeout(3600)
def test_any_sequence_strikes_counts_and_ends_as_documented(cluster, bare_database):
    with laboratory(cluster, bare_database) as bench:
        machine = type("Machine", (FaultMachine,), {"bench": bench})
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=25))
