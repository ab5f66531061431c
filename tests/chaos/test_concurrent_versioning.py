"""Versions that are counted by many at once: none is lost, none comes twice."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.oracle import broken_versions, value
from pggit_chaos.plans import Version
from pggit_chaos.retry import with_retry
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.concurrent]

WORKERS = [
    2,
    pytest.param(8, marks=pytest.mark.slow),
    pytest.param(20, marks=pytest.mark.slow),
    pytest.param(50, marks=pytest.mark.slow),
    pytest.param(100, marks=[pytest.mark.slow, pytest.mark.load]),
]
EACH = 3
VERSION = "SELECT o.version FROM ONLY pggit.objects AS o WHERE o.id = %s"
HISTORY = "SELECT count(*) FROM ONLY pggit.history AS h WHERE h.object_id = %s"
CHANGES = """
SELECT array_agg(lower(h.change_severity::text) ORDER BY h.id)
  FROM ONLY pggit.history AS h WHERE h.object_id = %s AND h.id > %s
"""
COLUMNS = """
SELECT ARRAY(SELECT jsonb_object_keys(o.metadata -> 'columns'))
  FROM ONLY pggit.objects AS o WHERE o.id = %s
"""
SEMANTIC = """
SELECT o.version_major, o.version_minor, o.version_patch
  FROM ONLY pggit.objects AS o WHERE o.id = %s
"""


@pytest.fixture
def crowd(chaos_connect: Any) -> Crowd:
    return Crowd(chaos_connect)


@pytest.fixture
def counted(pggit: Target) -> int:
    """The id of a table's record on main, committed."""
    pggit.conn.execute("CREATE TABLE public.counted (id integer)")
    return pggit.object_id("counted")


@pytest.fixture
def first(chaos_connect: Any) -> Target:
    """A session with a transaction that the test ends."""
    return Target(chaos_connect())


def raising(object_id: int, times: int = 1, severity: str = "PATCH") -> Any:
    """Work that raises the version of an object, and returns the versions it is answered."""
    return lambda target: [
        target.increment_version(object_id, severity=severity) for _ in range(times)
    ]


def sound(conn: psycopg.Connection[Any], object_id: int, before: int, raised: int) -> None:
    """Fail unless a version was raised so often, and history says so."""
    now = value(conn, VERSION, object_id)
    assert now == before + raised, f"{raised} increments from version {before} on led to {now}"
    wrong = broken_versions(conn)
    assert not wrong, "\n".join(wrong)


class TestConcurrentVersioning:
    @pytest.mark.parametrize("num_workers", WORKERS)
    def test_concurrent_version_increments(
        self, pggit: Target, crowd: Crowd, counted: int, num_workers: int
    ) -> None:
        """Promise: N workers raise one version by N, and each is answered a version of its own."""
        before = value(pggit.conn, VERSION, counted)
        outcomes = crowd.together(*[raising(counted, EACH)] * num_workers)
        assert not errors(outcomes), f"increments failed with {sqlstates(outcomes)}"
        answered = sorted(version for versions in outcomes for version in versions)
        count = num_workers * EACH
        assert answered == list(range(before + 1, before + count + 1)), "versions came twice"
        sound(pggit.conn, counted, before, count)

    @pytest.mark.slow
    def test_severities_add_up_in_the_order_of_history(
        self, pggit: Target, crowd: Crowd, counted: int
    ) -> None:
        """Promise: the semantic version is what history, read in its order, leads to."""
        last = value(pggit.conn, "SELECT max(h.id) FROM ONLY pggit.history AS h")
        row = pggit.conn.execute(SEMANTIC, (counted,)).fetchone()
        assert row is not None
        version = Version(*row)
        severities = ["MAJOR", "MINOR", "PATCH", "MINOR", "MAJOR", "PATCH"]
        outcomes = crowd.together(*(raising(counted, 2, severity) for severity in severities))
        assert not errors(outcomes), f"increments failed with {sqlstates(outcomes)}"
        told = value(pggit.conn, CHANGES, counted, last or 0) or []
        assert len(told) == 2 * len(severities), "history does not tell of each increment"
        for part in told:
            version = version.next(part)
        reached = pggit.conn.execute(SEMANTIC, (counted,)).fetchone()
        assert reached == version, f"history leads to {version}, and the object is at {reached}"

    @pytest.mark.slow
    def test_concurrent_schema_changes_are_all_counted(
        self, pggit: Target, crowd: Crowd, counted: int
    ) -> None:
        """Promise: sessions that alter one table at once are all recorded, each in a version."""
        before = value(pggit.conn, VERSION, counted)

        def altering(worker: int) -> Any:
            def work(target: Target) -> None:
                for number in range(2):
                    column = f"by_{worker}_{number}"
                    target.conn.execute(f"ALTER TABLE public.counted ADD COLUMN {column} text")

            return work

        outcomes = crowd.together(*map(altering, range(4)))
        assert not errors(outcomes), f"schema changes failed with {sqlstates(outcomes)}"
        sound(pggit.conn, counted, before, 8)
        columns = value(pggit.conn, COLUMNS, counted)
        assert len(columns) == 9, f"of the table's 9 columns pgGit knows {sorted(columns)}"

    @pytest.mark.parametrize("num_workers", [6, pytest.param(50, marks=pytest.mark.slow)])
    def test_concurrent_trinity_ids(self, pggit: Target, crowd: Crowd, num_workers: int) -> None:
        """Promise: sessions that ask for Trinity IDs at once are issued different ones."""
        each = 40
        outcomes = crowd.together(
            *[lambda target: [target.trinity_id() for _ in range(each)]] * num_workers
        )
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        issued = [id_ for ids in outcomes for id_ in ids]
        assert len(set(issued)) == num_workers * each, "a Trinity ID was issued twice"

    def test_ids_of_transactions_that_roll_back_are_not_issued_again(
        self, pggit: Target, crowd: Crowd
    ) -> None:
        """Promise: a Trinity ID that somebody has seen is his, even if he rolls back."""

        def wavering(target: Target) -> list[str]:
            ids = []
            for number in range(10):
                with target.conn.transaction(force_rollback=number % 2 == 0):
                    ids.append(target.trinity_id())
            return ids

        issued = [id_ for ids in crowd.together(*[wavering] * 4) for id_ in ids]
        assert len(set(issued)) == len(issued), "an ID of a transaction that rolled back came again"

    @pytest.mark.slow
    def test_an_object_is_tracked_once_whoever_is_first(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: sessions that have pgGit track one object at once are answered one id."""
        function = "ensure_object(pggit.object_type,text,text,text,jsonb)"
        if not pggit.has(function):
            raise NotApplicableError(f"this pgGit has no function pggit.{function}")
        with pggit.conn.transaction():
            # pgGit's event triggers rest meanwhile: it has not seen the table.
            pggit.conn.execute("SET LOCAL session_replication_role = replica")
            pggit.conn.execute("CREATE TABLE public.x ()")
        statement = """
            SELECT pggit.ensure_object('TABLE'::pggit.object_type, 'public'::text, 'x'::text,
                                       NULL::text, '{}'::jsonb)"""
        outcomes = crowd.together(*[lambda target: value(target.conn, statement)] * 6)
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        assert len(set(outcomes)) == 1, f"one object has the ids {sorted(set(outcomes))}"


class TestLostUpdates:
    @pytest.mark.slow
    def test_an_increment_in_the_middle_of_another_is_not_lost(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, counted: int
    ) -> None:
        """Promise: between reading a version and writing it nobody else counts."""
        before = value(pggit.conn, VERSION, counted)
        with crowd.halted(chaos, "pggit.objects.update.before", raising(counted)) as first:
            with crowd.running(raising(counted)) as second:
                second.settle()
                first.go_on()
                outcomes = [first.outcome(), second.outcome()]
        assert not errors(outcomes), f"increments failed with {sqlstates(outcomes)}"
        assert sorted(outcomes) == [[before + 1], [before + 2]], "both were answered one version"
        sound(pggit.conn, counted, before, 2)

    @pytest.mark.slow
    def test_a_schema_change_in_the_middle_of_an_increment_is_not_lost(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, counted: int
    ) -> None:
        """Promise: ALTER TABLE and an increment of the same object are both counted."""
        before = value(pggit.conn, VERSION, counted)

        def altering(target: Target) -> None:
            target.conn.execute("ALTER TABLE public.counted ADD COLUMN more text")

        with crowd.halted(chaos, "pggit.objects.update.before", raising(counted)) as first:
            with crowd.running(altering) as second:
                second.settle()
                first.go_on()
                outcomes = [first.outcome(), second.outcome()]
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        sound(pggit.conn, counted, before, 2)
        knows = (
            "SELECT o.metadata -> 'columns' ? 'more' FROM ONLY pggit.objects AS o WHERE o.id = %s"
        )
        assert value(pggit.conn, knows, counted), "the increment undid what ALTER TABLE recorded"

    @pytest.mark.slow
    def test_an_increment_that_rolls_back_leaves_no_gap(
        self, pggit: Target, crowd: Crowd, counted: int, first: Target
    ) -> None:
        """Promise: who waited for an increment that is rolled back gets the version that it had."""
        before = value(pggit.conn, VERSION, counted)
        first.increment_version(counted)
        with crowd.running(raising(counted)) as second:
            second.settle()
            first.conn.rollback()
            assert second.outcome() == [before + 1]
        sound(pggit.conn, counted, before, 1)

    @pytest.mark.slow
    def test_an_increment_of_a_session_that_is_killed_is_undone(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, counted: int
    ) -> None:
        """Promise: a session that is killed between version and history leaves neither."""
        before = value(pggit.conn, VERSION, counted)
        with crowd.halted(chaos, "pggit.history.insert.before", raising(counted)) as first:
            with crowd.running(raising(counted)) as second:
                second.settle()
                assert value(pggit.conn, "SELECT pg_terminate_backend(%s)", first.pid)
                assert errors([first.outcome()]), "the killed session was answered a version"
                assert second.outcome() == [before + 1]
        sound(pggit.conn, counted, before, 1)

    @pytest.mark.slow
    def test_increments_that_are_retried_count_exactly_once(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, counted: int
    ) -> None:
        """Promise: an increment that fails with 40001 counted nothing, and can be tried again."""
        before = value(pggit.conn, VERSION, counted)

        def stubborn(target: Target) -> list[int]:
            def once() -> int:
                return target.increment_version(counted)

            return [with_retry(once, max_attempts=20, backoff=0) for _ in range(EACH)]

        failpoint, term = "pggit.history.insert.after", "40%error(40001)"
        with chaos.fault(failpoint, term, scope="database", seed=5) as fault:
            outcomes = crowd.together(*[stubborn] * 4)
            assert fault.fired > 2, "increments passed without a fault"
        assert not errors(outcomes), f"not 40001, and so not tried again: {sqlstates(outcomes)}"
        sound(pggit.conn, counted, before, 4 * EACH)


class TestIndependence:
    def test_versions_of_different_objects_do_not_wait(
        self, pggit: Target, crowd: Crowd, counted: int, first: Target
    ) -> None:
        """Promise: who counts one object holds up nobody who counts another one."""
        pggit.conn.execute("CREATE TABLE public.other (id integer)")
        other = pggit.object_id("other")
        first.increment_version(counted)
        with crowd.running(raising(other)) as second:
            done = second.settle()
            first.conn.commit()
            assert not errors([second.outcome()]), f"failed: {second.outcome()}"
        assert done, "an increment of one object waits for a transaction that counted another one"

    def test_versions_of_an_object_on_different_branches_are_apart(
        self, pggit: Target, crowd: Crowd, counted: int
    ) -> None:
        """Promise: what is counted on one branch is not counted on another one."""
        pggit.create_branch("side")
        copy = pggit.object_id("counted", branch="side")
        start = value(pggit.conn, VERSION, counted), value(pggit.conn, VERSION, copy)
        outcomes = crowd.together(raising(counted, 4), raising(copy, 2), raising(counted, 4))
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        sound(pggit.conn, counted, start[0], 8)
        sound(pggit.conn, copy, start[1], 2)

    @pytest.mark.slow
    def test_nobody_sees_a_version_without_its_history(
        self, pggit: Target, chaos: Chaos, crowd: Crowd, counted: int
    ) -> None:
        """Promise: until an increment is committed others see the version before, and no part."""
        before = value(pggit.conn, VERSION, counted), value(pggit.conn, HISTORY, counted)
        with crowd.halted(chaos, "pggit.history.insert.after", raising(counted)) as first:
            seen = pggit.get_version("public.counted")
            now = value(pggit.conn, VERSION, counted), value(pggit.conn, HISTORY, counted)
            assert now == before, "a version that is not committed can be seen"
            assert seen is None or seen.get("version", before[0]) == before[0]
            first.go_on()
            assert not errors([first.outcome()])
        sound(pggit.conn, counted, before[0], 1)

    def test_times_go_forward_even_where_transactions_overtake(
        self, pggit: Target, first: Target, counted: int
    ) -> None:
        """Promise: the later of two changes has no earlier time than the one before it.

        Failure: a transaction that began first changes an object last.
        """
        (began,) = first.conn.execute("SELECT LOCALTIMESTAMP").fetchone() or (None,)
        pggit.increment_version(counted, description="overtakes")
        first.increment_version(counted, description="began earlier")
        first.conn.commit()
        times = pggit.conn.execute(
            "SELECT h.change_description, h.created_at FROM ONLY pggit.history AS h"
            " WHERE h.object_id = %s ORDER BY h.id",
            (counted,),
        ).fetchall()
        assert times[-2][1] > began, "nobody was overtaken: the test proves nothing"
        assert times == sorted(times, key=lambda row: row[1]), (
            f"history goes back in time from one change to the next: {times}"
        )
