"""No room on disk: for users' rows, for pgGit's own, for temporary files, for the WAL."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import errors, sql

from pggit_chaos import starve
from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError, UnavailableError
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.inspection import sound_findings
from pggit_chaos.load import LoadGenerator
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.resource]

Connection = psycopg.Connection[Any]
Result = TypeVar("Result")

MEGABYTE = 1 << 20
ROWS = "SELECT i AS id, repeat('x', 500) AS filler FROM generate_series(1, {}) AS i"


@dataclass(frozen=True, kw_only=True)
class Tablespace:
    """A tablespace on a disk of its own."""

    name: str
    disk: starve.Disk


@pytest.fixture
def tablespace(chaos_cluster: Cluster, pggit: Target) -> Iterator[Tablespace]:
    """A tablespace of two megabytes; whatever is in it afterwards is moved away."""
    name = f"pggit_chaos_{secrets.token_hex(4)}"
    try:
        with starve.small_disk(chaos_cluster, 2 * MEGABYTE) as disk:
            create = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
            pggit.conn.execute(create.format(sql.Identifier(name), str(disk.path)))
            yield Tablespace(name=name, disk=disk)
            disk.resize(64 * MEGABYTE)
            _empty(pggit.conn, name)
    except UnavailableError as error:
        pytest.skip(f"not available here: {error}")


def _empty(conn: Connection, tablespace: str) -> None:
    conn.execute("RESET default_tablespace")
    for kind in ("TABLE", "INDEX", "MATERIALIZED VIEW"):
        move = "ALTER {} ALL IN TABLESPACE {} SET TABLESPACE pg_default"
        conn.execute(sql.SQL(move).format(sql.SQL(kind), sql.Identifier(tablespace)))
    conn.execute("CHECKPOINT")  # until then the files are only emptied
    conn.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(tablespace)))


def _move(conn: Connection, relation: str, tablespace: Tablespace) -> None:
    """Move one of pgGit's tables, and nobody is told: that is no change of pgGit's schema."""
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        move = "ALTER TABLE {} SET TABLESPACE {}"
        names = sql.Identifier(*relation.split(".")), sql.Identifier(tablespace.name)
        conn.execute(sql.SQL(move).format(*names))


def _fill(conn: Connection, tablespace: Tablespace) -> None:
    """Take all the room that is left, to the last page."""
    create = "CREATE TABLE public.filler (filler text) TABLESPACE {}"
    conn.execute(sql.SQL(create).format(sql.Identifier(tablespace.name)))
    fill = "INSERT INTO public.filler SELECT repeat('x', 500) FROM generate_series(1, %s)"
    for rows in (1_000, 100, 10, 1):
        with suppress(errors.DiskFull):
            while True:
                conn.execute(fill, (rows,))


def _until_full(operation: Callable[[int], Result]) -> list[Result]:
    """Do something until the disk is full; return what it answered as long as it was not."""
    answers: list[Result] = []
    try:
        for number in range(2_000):
            answers.append(operation(number))
    except errors.DiskFull:
        return answers
    except psycopg.Error as error:
        pytest.fail(
            f"the disk is full (53100), and the caller is told {error.sqlstate}: "
            f"{error.diag.message_primary}"
        )
    pytest.fail("the disk was never full")


class TestDiskFull:
    def test_a_data_branch_without_room_leaves_nothing(
        self, pggit: Target, tablespace: Tablespace, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a data branch has all of its rows, or there is none.

        Failure: the disk is full when some of the rows are copied.
        """
        conn = pggit.conn
        conn.execute(f"CREATE TABLE public.large AS {ROWS.format(8_000)}".encode())
        conn.execute("ALTER TABLE public.large ADD PRIMARY KEY (id)")
        before = chaos_injector.snapshot()
        set_default = sql.SQL("SET default_tablespace = {}")
        conn.execute(set_default.format(sql.Identifier(tablespace.name)))
        with pytest.raises(errors.DiskFull):
            pytest.fail(
                "the disk has room for half of the rows, and the data branch answered "
                f"{pggit.create_data_branch('large', 'starved')}"
            )
        conn.execute("RESET default_tablespace")
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a data branch without room left something in {changed}"
        tablespace.disk.resize(64 * MEGABYTE)
        conn.execute(set_default.format(sql.Identifier(tablespace.name)))
        pggit.create_data_branch("large", "starved")
        copied = conn.execute(
            "SELECT row_count FROM ONLY pggit.branched_tables WHERE branch_name = 'starved'"
        ).fetchone()
        assert copied is None or copied[0] in (None, 8_000)

    @pytest.mark.slow
    def test_history_without_room_makes_no_version(
        self, pggit: Target, tablespace: Tablespace
    ) -> None:
        """Promise: a version that cannot be recorded is not given.

        Failure: the disk that pgGit's history is on is full.
        """
        conn, records = pggit.conn, Records(pggit.conn)
        conn.execute("CREATE TABLE public.counted (id integer)")
        object_id = pggit.object_id("counted")
        _move(conn, "pggit.history", tablespace)
        _fill(conn, tablespace)
        given = _until_full(
            lambda number: pggit.increment_version(object_id, description=str(number) * 50)
        )
        history = records.history("public.counted")
        assert [row.new_version for row in history[1:]] == given, (
            "the versions that were given are not those that are recorded"
        )
        assert records.objects()["TABLE", "public.counted"].version == history[-1].new_version
        tablespace.disk.resize(64 * MEGABYTE)
        assert pggit.increment_version(object_id) == (history[-1].new_version or 0) + 1

    @pytest.mark.slow
    def test_commits_without_room_are_not_made(self, pggit: Target, tablespace: Tablespace) -> None:
        """Promise: what commit answered is stored.  Failure: the disk of the commits is full."""
        records = Records(pggit.conn)
        _move(pggit.conn, "pggit.commits", tablespace)
        _fill(pggit.conn, tablespace)
        answered = _until_full(lambda number: pggit.commit("main", f"{number:05}" * 100))
        assert records.messages() == [f"{number:05}" * 100 for number in range(len(answered))]
        tablespace.disk.resize(64 * MEGABYTE)
        pggit.commit("main", "there is room again")
        assert records.messages()[-1] == "there is room again"

    @pytest.mark.parametrize("sqlstate", cases(["53100", "58030"], smoke=["58030"]))
    def test_a_disk_error_at_any_step_surfaces(
        self, chaos: Chaos, pggit: Target, sqlstate: str
    ) -> None:
        """Promise: a full or broken disk surfaces as such, wherever a commit meets it."""
        commit = "SELECT pggit.commit_changes('new'::text, 'm'::text, NULL::text)"
        if not pggit.has("commit_changes(text,text,text)"):
            commit = "SELECT pggit.create_commit('main'::text, 'm'::text, ''::text, NULL)"
        outcomes = chaos.sweep(commit, [sqlstate])
        assert outcomes, "the commit passed no failpoint"
        worse = [
            f"{outcome.failpoint}: {outcome.failure}" for outcome in outcomes if outcome.failure
        ]
        assert not worse, f"a commit does not survive {sqlstate}\n" + "\n".join(worse)

    @pytest.mark.slow
    def test_a_file_that_may_not_grow_stops_a_data_branch_whole(
        self, chaos_cluster: Cluster, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: whatever the kernel says no to, a data branch is whole or not there.

        Failure: no file of the backend's may be larger than seventeen megabytes.
        """
        conn = pggit.conn
        conn.execute(f"CREATE TABLE public.large AS {ROWS.format(36_000)}".encode())
        before = chaos_injector.snapshot()
        try:
            with starve.file_limit(chaos_cluster, conn.info.backend_pid, 17 * MEGABYTE):
                with pytest.raises(psycopg.Error) as caught:
                    pytest.fail(f"it answered {pggit.create_data_branch('large', 'starved')}")
        except UnavailableError as error:
            pytest.skip(f"not available here: {error}")
        assert caught.value.sqlstate in ("53100", "XX000")  # as the server words it
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a data branch that failed left something in {changed}"


class TestTemporaryFiles:
    def test_a_data_branch_that_needs_too_much_room_to_sort_leaves_nothing(
        self, pggit: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: 53400 in the middle of a data branch takes it back.

        Failure: temp_file_limit is too low for the index of the copy to be built.
        """
        conn = pggit.conn
        conn.execute(
            "CREATE TABLE public.sorted AS"
            " SELECT i AS id, md5(i::text) AS name FROM generate_series(1, 30000) AS i"
        )
        conn.execute(
            "CREATE VIEW public.busy AS SELECT s.id, s.name,"
            " row_number() OVER (ORDER BY s.name) AS place FROM public.sorted AS s"
        )
        before = chaos_injector.snapshot()
        conn.execute("SET temp_file_limit = 0")
        conn.execute("SET work_mem = '64kB'")
        conn.execute("BEGIN")
        pggit.commit("main", "before the sort")
        with pytest.raises(errors.ConfigurationLimitExceeded):
            conn.execute("CREATE TABLE public.result AS SELECT * FROM public.busy ORDER BY place")
        conn.execute("ROLLBACK")
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"the transaction failed, and yet it changed {changed}"
        pggit.commit("main", "without a sort")
        assert Records(conn).messages() == ["without a sort"]


@pytest.mark.destructive
class TestWalFull:
    SEGMENTS = ("--wal-segsize=1",)

    def test_what_was_committed_before_the_wal_was_full_is_there_after_it(
        self, chaos_cluster: Cluster, fresh_cluster: Callable[..., Cluster]
    ) -> None:
        """Promise: a commit that was acknowledged is durable.

        Failure: the disk of the WAL is full, PostgreSQL panics and cannot recover
        until there is room.
        """
        try:
            with starve.small_disk(chaos_cluster, 256 * MEGABYTE) as disk:
                cluster = fresh_cluster(
                    initdb_options=[f"--waldir={disk.path / 'wal'}", *self.SEGMENTS],
                    # Old segments are kept, so that the disk fills.
                    settings={"wal_keep_size": "1GB", "max_wal_size": "2MB"},
                )
                self._fill_and_recover(cluster, disk)
                cluster.stop()
        except UnavailableError as error:
            if isinstance(error, NotApplicableError):
                raise
            pytest.skip(f"not available here: {error}")

    def _fill_and_recover(self, cluster: Cluster, disk: starve.Disk) -> None:
        used = sum(path.stat().st_size for path in disk.path.rglob("*") if path.is_file())
        disk.resize(used + 4 * MEGABYTE)
        acknowledged: list[str] = []
        with suppress(psycopg.Error), cluster.connect("pggit", autocommit=True) as conn:
            for _ in range(5_000):
                message = secrets.token_hex(4_000)
                Target(conn).commit("main", message)
                acknowledged.append(message)
            pytest.fail("the WAL was never full")
        disk.resize(256 * MEGABYTE)
        cluster.stop(immediate=True)
        cluster.start()
        with cluster.connect("pggit", autocommit=True) as after:
            messages = Records(after).messages("main")
            # The last one may be there though nobody was told.
            assert messages[: len(acknowledged)] == acknowledged
            assert len(messages) <= len(acknowledged) + 1
            left = sound_findings(Chaos(after))
            assert not left, f"after the WAL was full: {left}"
            Target(after).commit("main", "there is room again")


@pytest.mark.slow
@pytest.mark.load
def test_many_sessions_on_a_full_disk_lose_nothing(
    pggit: Target, tablespace: Tablespace, load_generator: LoadGenerator
) -> None:
    """Promise: of many commits at once that one is stored which was acknowledged, and no other.

    Failure: the disk of the commits fills up meanwhile.
    """
    _move(pggit.conn, "pggit.commits", tablespace)
    _fill(pggit.conn, tablespace)
    report = load_generator.run(
        lambda conn, number: Target(conn).commit(f"worker/{number % 4}", f"{number:05}" * 400),
        workers=4,
        count=40,
    )
    assert set(report.outcomes) <= {"00000", "53100"}, (
        f"a full disk is a 53100; the commits ended with {report.outcomes}"
    )
    assert report.outcomes["53100"] > 0, "the disk was never full"
    assert len(Records(pggit.conn).commits()) == report.succeeded
