"""The way back: after healing, mending, maintenance and restoring, pgGit goes on as before."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pggit_chaos import binaries
from pggit_chaos.binaries import Binaries
from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import (
    ChangedSinceError,
    NotApplicableError,
    NothingToCorruptError,
    translated,
)
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.corruption, pytest.mark.recovery]

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

# A few that strike the same rows, and what else there is.
OVERLAPPING = (
    "commit_parent_dangling",
    "commit_message_lost",
    "branch_head_dangling",
    "trinity_sequence_rewound",
    "event_trigger_disabled",
    "constraint_dropped",
    "object_version_zeroed",
    "history_erased",
)


@pytest.fixture
def used(pggit: Target) -> Target:
    """A pgGit in which some work was done."""
    conn = pggit.conn
    conn.execute("CREATE TABLE public.kept (id integer PRIMARY KEY, name text)")
    conn.execute("CREATE INDEX kept_name ON public.kept (name)")
    pggit.commit("main", "a table")
    pggit.create_branch("side")
    pggit.switch_branch("side")
    conn.execute("ALTER TABLE public.kept ADD COLUMN more text")
    pggit.switch_branch("main")
    pggit.commit("side", "a column")
    pggit.merge("side")
    conn.execute("CREATE TABLE public.copied (id integer PRIMARY KEY)")
    pggit.create_data_branch("copied", "data")
    return pggit


def _go_on(target: Target) -> None:
    """Do a little of everything, and see that it is recorded as it was before."""
    records = Records(target.conn)
    before, drift = records.commits("main"), set(records.drift())
    versions = [change.new_version for change in records.history("public.kept")]
    target.conn.execute("ALTER TABLE public.kept ADD COLUMN afterwards text")
    target.commit("main", "goes on")
    target.create_branch("afterwards")
    after = records.commits("main")
    assert after[:-1] == before
    assert after[-1].message == "goes on"
    if any(commit.parent is not None for commit in before):
        assert after[-1].parent == before[-1].hash, (
            "the first commit after the recovery does not follow the last one before it"
        )
    grown = [change.new_version for change in records.history("public.kept")]
    assert len(grown) > len(versions), "a change after the recovery is in no history"
    assert "afterwards" in records.columns("kept")
    worse = set(records.drift()) - drift
    assert not worse, f"after the recovery and a change: {worse}"


class TestHealing:
    @pytest.mark.slow
    def test_damage_upon_damage_is_healed(self, chaos: Chaos, used: Target) -> None:
        """Promise: however much was damaged, what is healed is as it was, and pgGit goes on."""
        before, findings = chaos.state_digest(), set(chaos.fsck())
        done = 0
        applying = {kind.kind for kind in chaos.corruption_kinds() if kind.applies}
        for kind in OVERLAPPING:
            if kind in applying:
                with suppress(NothingToCorruptError), translated():
                    chaos.conn.execute("SELECT pggit_chaos.corrupt(%s)", (kind,))
                    done += 1
        assert chaos.state_digest() != before
        assert set(chaos.fsck()) - findings, f"{done} kinds of damage, and fsck finds nothing"
        assert chaos.heal_all() == done
        assert chaos.state_digest() == before
        assert set(chaos.fsck()) == findings
        _go_on(used)

    def test_work_that_was_done_meanwhile_is_kept(self, chaos: Chaos, used: Target) -> None:
        """Promise: healing takes back the damage and nothing else."""
        with chaos.corruption("commit_message_lost"):
            hashed = used.commit("main", "meanwhile")
            used.create_branch("meanwhile")
        records = Records(used.conn)
        last = records.commits("main")[-1].hash
        assert last == hashed, f"the commit answered {hashed}, and the last one stored is {last}"
        assert records.messages("main")[-1] == "meanwhile"
        assert "meanwhile" in records.branches()
        assert all(message is not None for message in records.messages())

    @pytest.mark.slow
    def test_a_row_that_was_changed_meanwhile_is_not_overwritten(
        self, chaos: Chaos, used: Target
    ) -> None:
        """Promise: healing refuses to undo what somebody did to a damaged row."""
        mine = "UPDATE pggit.commits SET message = 'mended by hand' WHERE message IS NULL"
        (corruption,) = chaos.conn.execute(
            "SELECT pggit_chaos.corrupt('commit_message_lost')"
        ).fetchone() or (None,)
        changed = chaos.conn.execute(mine).rowcount
        assert changed >= 1
        with pytest.raises(ChangedSinceError):
            chaos.heal_all()
        assert Records(used.conn).messages().count("mended by hand") == changed
        chaos.conn.execute(
            "UPDATE pggit.commits SET message = NULL WHERE message = 'mended by hand'"
        )
        healed = "SELECT pggit_chaos.heal(%s)"
        assert chaos.conn.execute(healed, (corruption,)).fetchone() == (True,)
        _go_on(used)


class TestMending:
    """What an administrator does by hand."""

    @pytest.mark.slow
    def test_an_event_trigger_that_was_off_is_switched_on_again(self, used: Target) -> None:
        """Promise: what changed while pgGit was deaf is recorded with the next change."""
        conn = used.conn
        conn.execute("ALTER EVENT TRIGGER pggit_ddl_trigger DISABLE")
        conn.execute("ALTER TABLE public.kept ADD COLUMN unheard text")
        conn.execute("ALTER EVENT TRIGGER pggit_ddl_trigger ENABLE")
        records = Records(conn)
        assert any("unheard" in line for line in records.drift())
        _go_on(used)
        assert "unheard" in records.columns("kept")

    def test_rows_that_were_lost_are_put_back(
        self, chaos: Chaos, used: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: pgGit's state is its rows: put back from a copy, they are the state."""
        used.conn.execute("CREATE TEMPORARY TABLE copy AS SELECT * FROM ONLY pggit.commits")
        before, findings = chaos_injector.snapshot(), set(chaos.fsck())
        _silently(used.conn, "DELETE FROM ONLY pggit.commits")
        assert before.changes(chaos_injector.snapshot()) == ["pggit.commits"]
        _silently(used.conn, "INSERT INTO pggit.commits SELECT * FROM pg_temp.copy")
        assert before.changes(chaos_injector.snapshot()) == []
        assert set(chaos.fsck()) == findings
        _go_on(used)

    @pytest.mark.slow
    @pytest.mark.may_leave_findings
    def test_a_sequence_that_was_set_back_repeats_no_id(self, chaos: Chaos, used: Target) -> None:
        """Promise: with its sequence behind, pgGit fails rather than give an ID twice.

        Failure: a restore of the sequence alone, as of long ago.
        """
        number = used.trinity_id().split("-")[1]
        if not any("-" in commit.hash for commit in Records(used.conn).commits()):
            raise NotApplicableError("this pgGit gives its commits no Trinity IDs")
        assert int(number) > 1
        used.conn.execute("SELECT setval('pggit.trinity_id_seq', 1, false)")
        found = {finding.check_id for finding in chaos.fsck()}
        assert "trinity_sequence_behind" in found, f"fsck does not see it: {found}"
        seen = {commit.hash for commit in Records(used.conn).commits()}
        new = used.commit("main", "after the sequence was set back")
        assert new not in seen
        hashes = [commit.hash for commit in Records(used.conn).commits()]
        assert len(set(hashes)) == len(hashes)
        used.conn.execute("SELECT setval('pggit.trinity_id_seq', 1000)")
        _go_on(used)

    @pytest.mark.slow
    def test_maintenance_changes_nothing(self, used: Target, chaos_injector: ChaosInjector) -> None:
        """Promise: pgGit's state does not depend on where its rows and indexes lie."""
        before = chaos_injector.snapshot()
        for statement in (
            "REINDEX SCHEMA pggit",
            "VACUUM FULL pggit.commits, pggit.history, pggit.objects, pggit.branches",
            "CLUSTER pggit.commits USING commits_pkey",
            "ANALYZE",
        ):
            used.conn.execute(statement.encode())
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"maintenance changed {changed}"
        _go_on(used)

    @pytest.mark.slow
    def test_a_session_on_a_branch_that_is_gone_finds_its_way_back(
        self, used: Target, chaos_connect: Connect
    ) -> None:
        """Promise: who is on a deleted branch is told so, or what he does is recorded.

        Failure: another session deletes the branch that this one is on.
        """
        used.create_branch("doomed")
        other = Target(chaos_connect(autocommit=True))
        other.switch_branch("doomed")
        used.delete_branch("doomed")
        create = "CREATE TABLE public.from_nowhere (id integer)"
        try:
            other.conn.execute(create)
        except psycopg.Error as error:
            refused: str | None = error.sqlstate
        else:
            refused = None
        records = Records(used.conn)
        recorded = any(
            "public.from_nowhere" in records.active(branch=branch) for branch in records.branches()
        )
        assert refused is not None or recorded, "neither refused nor recorded on any branch"
        other.switch_branch("main")
        other.conn.execute("DROP TABLE IF EXISTS public.from_nowhere")
        other.conn.execute("CREATE TABLE public.back (id integer)")
        assert "public.back" in records.active()

    def test_a_deleted_branch_comes_back_with_a_commit(self, used: Target) -> None:
        """Promise: a commit to a deleted branch revives it, with what it had."""
        used.create_branch("lazarus")
        used.commit("lazarus", "before")
        used.delete_branch("lazarus")
        records = Records(used.conn)
        assert records.branches()["lazarus"].status == "DELETED"
        used.commit("lazarus", "after")
        assert records.branches()["lazarus"].status == "ACTIVE"
        assert records.messages("lazarus") == ["before", "after"]


def _silently(conn: Connection, statement: str) -> None:
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(statement.encode())


class TestRestoring:
    @pytest.fixture
    def pg_dump(self, chaos_cluster: Cluster) -> Binaries:
        """The pg_dump of the server's version: an older one refuses, a newer one says more."""
        major = chaos_cluster.programs.major
        for found in (chaos_cluster.programs, *binaries.available()):
            if found.major == major and found.program("pg_dump") and found.program("pg_restore"):
                return found
        pytest.skip(f"not available here: pg_dump for PostgreSQL {major}")

    @pytest.fixture
    def new_database(self, chaos_cluster: Cluster) -> Iterator[str]:
        """The name of a database that is not there yet, and dropped afterwards."""
        name = f"pggit_chaos_restored_{secrets.token_hex(4)}"
        yield name
        chaos_cluster.drop_database(name)

    def test_a_copy_of_the_database_is_the_same_and_goes_on(
        self, chaos_cluster: Cluster, used: Target, new_database: str
    ) -> None:
        """Promise: pgGit knows no more than its database: a copy goes on by itself."""
        source = used.conn.info.dbname
        before = ChaosInjector(observer=used.conn).snapshot()
        used.conn.close()
        chaos_cluster.create_database(new_database, template=source)
        with chaos_cluster.connect(new_database, autocommit=True) as conn:
            assert before.changes(ChaosInjector(observer=conn).snapshot()) == []
            copy = Target(conn)
            _go_on(copy)
            with chaos_cluster.connect(source, autocommit=True) as original:
                ids = {copy.trinity_id() for _ in range(3)}
                assert ids.isdisjoint(Target(original).trinity_id() for _ in range(3))

    @pytest.mark.parametrize("format_", ["custom", "tar"])
    def test_a_dump_restores_what_was_and_goes_on(
        self,
        chaos_cluster: Cluster,
        pg_dump: Binaries,
        used: Target,
        new_database: str,
        tmp_path: Path,
        format_: str,
    ) -> None:
        """Promise: pg_dump and pg_restore keep all that pgGit knows, under new oids."""
        before = ChaosInjector(observer=used.conn).snapshot()
        archive = tmp_path / "archive"
        _dump(chaos_cluster, pg_dump, used.conn.info.dbname, archive, format_)
        _restore(chaos_cluster, pg_dump, new_database, archive)
        with chaos_cluster.connect(new_database, autocommit=True) as conn:
            changed = before.changes(ChaosInjector(observer=conn).snapshot())
            assert not changed, f"restored, and not the same: {changed}"
            _go_on(Target(conn))
            assert Chaos(conn).fsck() == Chaos(used.conn).fsck()

    def test_a_dump_in_the_middle_of_a_commit_has_none_of_it(
        self,
        chaos_cluster: Cluster,
        pg_dump: Binaries,
        chaos: Chaos,
        used: Target,
        chaos_connect: Connect,
        new_database: str,
        tmp_path: Path,
    ) -> None:
        """Promise: a backup sees whole commits.  Failure: one is held up between its writes."""
        messages = Records(used.conn).messages("main")
        worker = chaos_connect(autocommit=True)
        archive = tmp_path / "archive"
        with ThreadPoolExecutor(1) as pool, chaos.paused("pggit.commits.insert.after") as pause:
            commit = pool.submit(Target(worker).commit, "main", "under way")
            pause.wait()
            _dump(chaos_cluster, pg_dump, used.conn.info.dbname, archive, "custom")
            pause.release()
            commit.result()
        _restore(chaos_cluster, pg_dump, new_database, archive)
        with chaos_cluster.connect(new_database, autocommit=True) as conn:
            records = Records(conn)
            assert records.messages("main") == messages
            Chaos(conn).disarm_all(everything=True)
            _go_on(Target(conn))


def _dump(cluster: Cluster, programs: Binaries, database: str, archive: Path, format_: str) -> None:
    pg_dump = programs.program("pg_dump")
    command = [pg_dump, "--dbname", cluster.dsn(database), "--format", format_, "--file", archive]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def _restore(cluster: Cluster, programs: Binaries, database: str, archive: Path) -> None:
    cluster.create_database(database)
    with cluster.connect(autocommit=True) as conn:
        enable = sql.SQL("ALTER DATABASE {} SET pggit_chaos.enabled = on")
        conn.execute(enable.format(sql.Identifier(database)))
    command = [programs.program("pg_restore"), "--dbname", cluster.dsn(database), archive]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"pg_restore says: {done.stderr}"


class TestConflicts:
    def test_a_conflict_stops_a_merge_and_its_resolution_lets_it_go_on(
        self, used: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a merge with a conflict moves nothing until somebody decides it."""
        if not used.has("resolve_conflict(text,integer,text)"):
            raise NotApplicableError("this pgGit has no function pggit.resolve_conflict")
        conn = used.conn
        used.create_branch("theirs")
        for branch, column in (("theirs", "their_column"), ("main", "our_column")):
            used.switch_branch(branch)
            conn.execute(f"ALTER TABLE public.kept ADD COLUMN {column} text".encode())
        records = Records(conn)
        objects = records.objects()
        used.merge("theirs")
        assert records.objects() == objects, "a merge with a conflict moved something"
        conflicts = conn.execute(
            "SELECT merge_id, id FROM ONLY pggit.merge_conflicts WHERE branch_a = 'theirs'"
        ).fetchall()
        assert conflicts, "both sides changed one table, and there is no conflict"
        for merge_id, conflict_id in conflicts:
            conn.execute(
                "SELECT pggit.resolve_conflict(%s::text, %s::integer, 'TAKE_SOURCE'::text)",
                (merge_id, conflict_id),
            )
        before = chaos_injector.snapshot()
        used.merge("theirs")
        assert before.changes(chaos_injector.snapshot()), "the resolved merge did nothing"
        assert "their_column" in records.columns("kept")
        assert records.branches()["theirs"].status == "MERGED"
