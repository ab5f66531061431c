"""The observer changes nothing: eight sessions come to the same with and without it."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus

from pggit_chaos.target import Target

SESSIONS = 8
TURNS = 120
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
# What a session may come to that gets into another's way; anything else is a mistake of ours.
EXPECTED = {"40001", "55P03", "23505"}

# Nothing of this strikes.  What is matched and does not strike counts its hits.
OBSERVERS = {
    "hooks": [],
    "a fault elsewhere": [("pggit.delete_branch_simple(text)", "error", "database")],
    "a fault of another session": [("*", "error", "pid:{control}")],
    "a fault for another application": [("*", "error", "application:nobody")],
    "a fault for another role": [("*", "error", "role:pg_monitor")],
    "a fault that never fires": [("*", "off", "database")],
    "a fault whose hit never comes": [("*", "1000000000*off->error", "database")],
    "a session's own fault": [("*", "off", "session")],
}


@contextmanager
def observed(control: psycopg.Connection[Any], observer: str | None) -> Iterator[None]:
    """Have hooks and faults for the block; none at all where there is no observer."""
    if observer is not None:
        control.execute("SELECT pggit_chaos.install_hooks()")
        for failpoint, term, scope in OBSERVERS[observer]:
            if scope != "session":
                scope = scope.format(control=control.info.backend_pid)
                control.execute("SELECT pggit_chaos.arm(%s, %s, %s)", [failpoint, term, scope])
    yield
    control.execute("SELECT pggit_chaos.disarm_all(everything => true)")


@pytest.fixture
def ground(cluster, database):
    """Return the name of a database to copy: each run begins with the same."""
    with cluster.connect(database, autocommit=True) as conn:
        Target(conn).prepare()
        for number in range(SESSIONS):
            conn.execute("SELECT pggit.create_branch(%s)", [f"lane/{number}"])
            conn.execute(f"CREATE TABLE public.lane_{number} (id integer PRIMARY KEY)")
    return database


@pytest.fixture
def run(cluster, ground, fleet, server_version):
    """Run a schedule in a copy of the ground; return what each turn came to."""
    numbers = itertools.count()

    def one(observer: str | None, work: Any) -> Any:
        name = f"{ground}_{next(numbers)}"
        cluster.create_database(name, template=ground)
        try:
            with ExitStack() as stack:
                control = stack.enter_context(cluster.connect(name, autocommit=True))
                control.execute(f'ALTER DATABASE "{name}" SET pggit_chaos.enabled = on')
                with observed(control, observer):
                    sessions = [
                        stack.enter_context(
                            cluster.connect(name, autocommit=True, options="-c lock_timeout=5ms")
                        )
                        for _ in range(SESSIONS)
                    ]
                    for failpoint, term, scope in OBSERVERS.get(observer or "", []):
                        for session in sessions if scope == "session" else []:
                            session.execute("SELECT pggit_chaos.arm(%s, %s)", [failpoint, term])
                    return work(control, sessions)
        finally:
            cluster.drop_database(name)

    return one


def statements(number: int) -> list[str]:
    """What one session does, with branches and objects of its own and shared ones."""
    object_id = (
        "(SELECT id FROM pggit.objects WHERE object_type = 'TABLE' AND branch_name = 'main'"
        " AND object_name = '{}')"
    )
    return [
        "SELECT count(*) FROM pggit.commits",
        f"SELECT pggit.commit_changes('main', 'by {number}') IS NOT NULL",
        f"SELECT pggit.commit_changes('lane/{number}', 'mine') IS NOT NULL",
        f"SELECT pggit.create_branch('made/' || {number} || '/' || count(*)) > 0"
        " FROM pggit.branches",
        "SELECT pggit.create_branch('the/same') > 0",
        "SELECT pggit.increment_version("
        + object_id.format("chaos_ground")
        + ", 'ALTER'::pggit.change_type, 'MINOR'::pggit.change_severity, 'shared')",
        "SELECT pggit.increment_version("
        + object_id.format(f"lane_{number}")
        + ", 'ALTER'::pggit.change_type, 'PATCH'::pggit.change_severity, 'mine')",
        f"ALTER TABLE public.lane_{number} ADD COLUMN IF NOT EXISTS more text",
        f"CREATE TABLE IF NOT EXISTS public.new_{number} (id integer)",
        f"DROP TABLE IF EXISTS public.new_{number}",
        "SELECT status, head_commit_hash IS NULL FROM pggit.branches WHERE name = 'main'",
    ]


def schedule(seed: int) -> list[tuple[int, str]]:
    """Whose turn it is, and what he does: the same for the same seed."""
    choice = random.Random(seed)
    open_transactions: set[int] = set()
    turns = []
    for _ in range(TURNS):
        number = choice.randrange(SESSIONS)
        if number not in open_transactions:
            level = choice.choice(LEVELS)
            turns.append((number, f"BEGIN ISOLATION LEVEL {level}"))
            open_transactions.add(number)
        elif choice.random() < 0.3:
            turns.append((number, choice.choice(("COMMIT", "COMMIT", "ROLLBACK"))))
            open_transactions.discard(number)
        else:
            turns.append((number, choice.choice(statements(number))))
    return [*turns, *((number, "COMMIT") for number in sorted(open_transactions))]


def taking_turns(turns: list[tuple[int, str]]) -> Any:
    """One statement at a time; who would have to wait gives up: nothing is left to chance."""

    def work(control: psycopg.Connection[Any], sessions: list[psycopg.Connection[Any]]) -> Any:
        outcomes = []
        for number, statement in turns:
            conn = sessions[number]
            if conn.info.transaction_status == TransactionStatus.INERROR:
                conn.execute("ROLLBACK")
            try:
                cursor = conn.execute(statement)
                outcome = cursor.fetchall() if cursor.description else [cursor.statusmessage]
            except psycopg.Error as error:
                outcome = error.sqlstate
            outcomes.append((number, statement, outcome))
        state = control.execute("""
            SELECT b.name, b.status, count(c.id), max(c.message)
              FROM pggit.branches AS b LEFT JOIN pggit.commits AS c ON c.branch_id = b.id
             GROUP BY b.id ORDER BY b.name
        """).fetchall()
        versions = control.execute("""
            SELECT o.full_name, o.branch_name, o.version, count(h.id)
              FROM pggit.objects AS o LEFT JOIN pggit.history AS h ON h.object_id = o.id
             GROUP BY o.id ORDER BY 1, 2
        """).fetchall()
        return outcomes, state, versions

    return work


@pytest.mark.one_version
@pytest.mark.parametrize("seed", [0, 4])
def test_each_turn_of_eight_sessions_comes_to_the_same(run, seed):
    work = taking_turns(schedule(seed))
    plain = run(None, work)
    seen = {outcome for _, _, outcome in plain[0] if isinstance(outcome, str)}
    # The schedule is worth something: sessions do get into each other's way.
    assert {"40001", "55P03"} <= seen <= EXPECTED
    for observer in OBSERVERS:
        assert run(observer, work) == plain, observer


def skewed(arming: str | None) -> Any:
    """Three sessions that are serializable one behind the other, and somebody who arms meanwhile.

    A fault that the first two saw would make a circle of them with who arms it.
    """

    def work(control: psycopg.Connection[Any], sessions: list[psycopg.Connection[Any]]) -> Any:
        reader, writer, armer, *_ = sessions
        for conn in (reader, writer, armer):
            conn.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
            conn.execute("SELECT 1 FROM pggit.branches LIMIT 0")
        reader.execute("SELECT count(*) FROM pggit.commits")
        writer.execute("SELECT pggit.commit_changes('lane/1', 'by the writer')")
        if arming is not None:
            armer.execute("SELECT pggit_chaos.arm('*', 'off', %s)", [arming])
        armer.execute("COMMIT")
        outcome = []
        for conn in (writer, reader):
            try:
                conn.execute("COMMIT")
                outcome.append(None)
            except errors.SerializationFailure as error:
                outcome.append(error.sqlstate)
        return outcome

    return work


@pytest.mark.one_version
@pytest.mark.parametrize("arming", ["session", "database"])
def test_who_arms_in_a_serializable_transaction_fails_nobody(run, arming):
    plain = run(None, skewed(None))
    assert run("a fault elsewhere", skewed(arming)) == plain == [None, None]


def freely(control: psycopg.Connection[Any], sessions: list[psycopg.Connection[Any]]) -> Any:
    """All at once, each in its own thread; what may be retried is retried."""

    def one(number: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        conn = sessions[number]
        conn.execute("SET lock_timeout = '10s'")
        for i in range(12):
            level = LEVELS[(number + i) % 3]
            while True:
                try:
                    conn.execute(f"BEGIN ISOLATION LEVEL {level}")
                    conn.execute(
                        "SELECT pggit.commit_changes(%s, %s)",
                        ["main" if i % 2 else f"lane/{number}", f"{number}.{i}"],
                    )
                    conn.execute(statements(number)[6])
                    conn.execute("COMMIT")
                    break
                except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                    seen[error.sqlstate or ""] += 1
                    conn.execute("ROLLBACK")
        return seen

    with ThreadPoolExecutor(SESSIONS) as pool:
        seen = sum(pool.map(one, range(SESSIONS)), Counter())
    return {
        "failures of other kinds": set(seen) - {"40001", "40P01"},
        "commits": control.execute("""
            SELECT c.message, count(*) FROM pggit.commits AS c
             WHERE c.message ~ '^[0-9]+[.][0-9]+$' GROUP BY 1 ORDER BY 1
        """).fetchall(),
        "forks": control.execute("""
            SELECT c.branch_id, c.parent_commit_hash FROM pggit.commits AS c
             GROUP BY 1, 2 HAVING count(*) > 1
        """).fetchall(),
        "versions": control.execute("""
            SELECT o.object_name, o.version FROM pggit.objects AS o
             WHERE o.object_name ~ '^lane_' AND o.branch_name = 'main' AND o.object_type = 'TABLE'
             ORDER BY 1
        """).fetchall(),
        "findings": control.execute(
            "SELECT check_id, message FROM pggit_chaos.fsck(min_severity => 'error')"
        ).fetchall(),
    }


@pytest.mark.one_version
@pytest.mark.parametrize("observer", [None, "hooks", "a fault that never fires"])
def test_eight_sessions_at_once_lose_nothing(run, observer):
    result = run(observer, freely)
    assert result["commits"] == sorted(
        (f"{number}.{i}", 1) for number in range(SESSIONS) for i in range(12)
    )
    assert not result["failures of other kinds"]
    assert not result["forks"]
    assert not result["findings"]
    assert len({version for _, version in result["versions"]}) == 1
