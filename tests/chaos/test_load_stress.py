"""Load: many sessions, many objects, many IDs, with and without failures among them."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.load import LoadGenerator, LoadReport
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.resource, pytest.mark.load]

Connection = psycopg.Connection[Any]

_IDS = "SELECT pggit.generate_trinity_id() FROM generate_series(1, %s)"


def _require_success(report: LoadReport) -> None:
    first = [f"{error.sqlstate}: {error.diag.message_primary}" for error in report.errors]
    assert report.succeeded == report.attempts, f"{report.outcomes}, the first of each: {first}"


class TestLoad:
    @pytest.mark.slow
    def test_sessions_on_branches_of_their_own_lose_nothing(
        self, pggit: Target, load_generator: LoadGenerator
    ) -> None:
        """Promise: sessions that share no branch do not get in each other's way."""
        for worker in range(4):
            pggit.create_branch(f"worker/{worker}")

        def work(conn: Connection, number: int) -> None:
            Target(conn).commit(f"worker/{number % 4}", f"commit {number}")

        report = load_generator.run(work, workers=4, count=15)
        _require_success(report)
        assert report.throughput > 0
        records = Records(pggit.conn)
        for worker in range(4):
            expected = {f"commit {number}" for number in range(60) if number % 4 == worker}
            assert set(records.messages(f"worker/{worker}")) == expected

    @pytest.mark.slow
    def test_mixed_work_leaves_sound_books(
        self, pggit: Target, load_generator: LoadGenerator
    ) -> None:
        """Promise: commits, branches, schema changes and versions at once, and fsck is content."""
        others = Records(pggit.conn).active()
        pggit.conn.execute("CREATE TABLE public.shared (id integer)")
        object_id = pggit.object_id("shared")

        def work(conn: Connection, number: int) -> None:
            target = Target(conn)
            match number % 4:
                case 0:
                    target.commit("main", f"commit {number}")
                case 1:
                    target.create_branch(f"branch/{number}")
                case 2:
                    conn.execute(f"CREATE TABLE public.t{number} (id integer)".encode())
                case 3:
                    target.increment_version(object_id)

        _require_success(load_generator.run(work, workers=4, count=10))
        records = Records(pggit.conn)
        assert set(records.messages("main")) == {f"commit {n}" for n in range(0, 40, 4)}
        assert records.branches().keys() == {"main", *(f"branch/{n}" for n in range(1, 40, 4))}
        made = records.active() - others
        assert made == {"public.shared", *(f"public.t{n}" for n in range(2, 40, 4))}
        versions = [change.new_version for change in records.history("public.shared")]
        first = versions[0] or 0
        assert versions == list(range(first, first + 11)), f"versions lost or doubled: {versions}"

    @pytest.mark.parametrize(
        "action", cases(["error(40001)", "terminate", "cancel"], smoke=["cancel"])
    )
    def test_what_was_acknowledged_is_stored_and_nothing_else(
        self, chaos: Chaos, load_generator: LoadGenerator, action: str
    ) -> None:
        """Promise: under load with failures every success is durable, every failure is nothing.

        Failure: a fifth of all commits, in their middle.
        """
        acknowledged: list[str] = []

        def work(conn: Connection, number: int) -> None:
            Target(conn).commit("main", f"commit {number}")
            conn.commit()
            acknowledged.append(f"commit {number}")

        with chaos.fault(
            "pggit.commits.insert.after", f"20%{action}", scope="database", seed=3
        ) as fault:
            report = load_generator.run(work, workers=4, count=15)
            assert fault.fired == report.attempts - report.succeeded > 0, report.outcomes
        stored = Counter(Records(chaos.conn).messages("main"))
        assert stored == Counter(acknowledged), (
            f"stored and not acknowledged: {stored - Counter(acknowledged)};"
            f" acknowledged and not stored: {Counter(acknowledged) - stored}"
        )

    @pytest.mark.slow
    def test_a_load_of_some_time_ends_in_time(
        self, pggit: Target, load_generator: LoadGenerator
    ) -> None:
        """Promise: no commit of a steady load waits for ever; each takes its turn."""
        duration = timedelta(milliseconds=300)
        report = load_generator.run(
            lambda conn, number: Target(conn).commit("main", f"commit {number}"),
            workers=4,
            duration=duration,
        )
        _require_success(report)
        assert report.slowest < timedelta(seconds=20)
        assert len(Records(pggit.conn).commits("main")) == report.succeeded


class TestIdentityAtScale:
    def test_ids_of_one_statement_are_unique(self, pggit: Target) -> None:
        """Promise: thousands of Trinity IDs of one transaction, of one moment, all differ."""
        pggit.trinity_id()  # where this pgGit has none, that says so
        ids = [row[0] for row in pggit.conn.execute(_IDS, (3_000,))]
        repeated = [each for each, count in Counter(ids).items() if count > 1]
        assert not repeated, f"{len(repeated)} of 3000 repeat, the first is {repeated[:1]}"
        numbers = Counter(each.split("-")[1] for each in ids)
        assert len(numbers) == 3_000, f"the number in {numbers.most_common(1)} repeats"

    @pytest.mark.parametrize(
        ("workers", "each"),
        [(8, 250), pytest.param(32, 5_000, marks=pytest.mark.slow)],
        ids=["2000", "160000"],
    )
    def test_ids_of_many_sessions_are_unique(
        self, pggit: Target, load_generator: LoadGenerator, workers: int, each: int
    ) -> None:
        """Promise: no two sessions are given one Trinity ID, however many ask at once."""
        pggit.trinity_id()
        ids: list[str] = []

        def work(conn: Connection, number: int) -> None:
            ids.extend(row[0] for row in conn.execute(_IDS, (each,)))

        _require_success(load_generator.run(work, workers=workers, count=1))
        assert len(set(ids)) == len(ids) == workers * each

    def test_commits_beyond_a_thousand_keep_their_ids(self, pggit: Target) -> None:
        """Promise: the thousandth commit of a transaction gets an ID of its own like the first."""
        with pggit.conn.transaction():
            pggit.trinity_id()
            pggit.conn.execute(_IDS, (995,))
            hashes = [pggit.commit("main", str(number)) for number in range(12)]
        assert len(set(hashes)) == 12, f"of twelve IDs some are the same: {hashes}"
        stored = [commit.hash for commit in Records(pggit.conn).commits("main")][-12:]
        assert stored == hashes, f"the first commit answered {hashes[0]}; stored is {stored[:1]}"


class TestManyObjects:
    @pytest.mark.slow
    def test_a_branch_of_many_tables_has_them_all(self, pggit: Target) -> None:
        """Promise: a branch of hundreds of objects is complete, and so is its merge."""
        conn, records = pggit.conn, Records(pggit.conn)
        with conn.transaction():
            for number in range(30):
                conn.execute(
                    f"CREATE TABLE public.t{number} (id integer PRIMARY KEY, a text)".encode()
                )
        pggit.create_branch("wide")
        pggit.switch_branch("wide")
        with conn.transaction():
            for number in range(20):
                conn.execute(f"ALTER TABLE public.t{number} ADD COLUMN b text".encode())
        pggit.switch_branch("main")
        kinds = ["TABLE", "COLUMN", "INDEX"]
        missing = records.active(kinds) - records.active(kinds, branch="wide")
        assert not missing, f"made from main, changed since, and yet it lacks {missing}"
        pggit.merge("wide")
        for number in range(20):
            assert "b" in records.columns(f"t{number}"), f"the merge lost column b of t{number}"

    @pytest.mark.slow
    def test_a_long_history_is_read_back_whole(self, pggit: Target) -> None:
        """Promise: the hundredth version of an object comes after ninety-nine others."""
        pggit.conn.execute("CREATE TABLE public.busy (id integer)")
        object_id = pggit.object_id("busy")
        given = [pggit.increment_version(object_id) for _ in range(100)]
        history = Records(pggit.conn).history("public.busy")
        assert [change.new_version for change in history[1:]] == given
        assert given == list(range(given[0], given[0] + 100))


@pytest.mark.slow
class TestForLong:
    def test_sixteen_sessions_work_for_a_while(
        self, pggit: Target, load_generator: LoadGenerator, chaos: Chaos
    ) -> None:
        """Promise: what was acknowledged is stored, with everything at once and for longer."""
        tables = [f"t{number}" for number in range(8)]
        for table in tables:
            pggit.conn.execute(f"CREATE TABLE public.{table} (id integer)".encode())
        ids = [pggit.object_id(table) for table in tables]
        chance = random.Random(5)
        plan = [chance.randrange(6) for _ in range(10_000)]
        acknowledged: Counter[str] = Counter()

        def work(conn: Connection, number: int) -> None:
            target = Target(conn)
            _step(target, plan[number % len(plan)], number, ids)
            conn.commit()
            acknowledged[
                ("commit", "branch", "merge", "version", "DDL", "delete")[plan[number % len(plan)]]
            ] += 1

        with chaos.fault(
            "pggit.*.insert.after", "1%error(40001)", scope="database", seed=1
        ) as fault:
            report = load_generator.run(work, workers=16, duration=timedelta(seconds=15))
            assert fault.fired > 0
        assert set(report.outcomes) <= {"00000", "40001", "40P01", "55000"}, report.outcomes
        records = Records(pggit.conn)
        commits = [each for each in records.commits() if each.message.startswith("commit ")]
        assert len(commits) == acknowledged["commit"]
        versions = sum(
            change.description == "by load"
            for table in tables
            for change in records.history(f"public.{table}")
        )
        assert versions == acknowledged["version"]


def _step(target: Target, kind: int, number: int, object_ids: list[int]) -> None:
    branch = f"b{number}_{secrets.token_hex(2)}"
    steps: list[Callable[[], object]] = [
        lambda: target.commit("main", f"commit {number}"),
        lambda: target.create_branch(branch),
        lambda: (target.create_branch(branch), target.merge(branch)),
        lambda: target.increment_version(
            object_ids[number % len(object_ids)], description="by load"
        ),
        lambda: target.conn.execute(f"CREATE TABLE public.made_{number} (id integer)".encode()),
        lambda: (target.create_branch(branch), target.delete_branch(branch)),
    ]
    steps[kind]()
