"""Branches that are made, deleted, merged and filled with data by many sessions at once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd, errors, sqlstates
from pggit_chaos.oracle import broken_lines, broken_versions, value
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.concurrent]

WORKERS = [
    2,
    pytest.param(8, marks=pytest.mark.slow),
    pytest.param(50, marks=pytest.mark.slow),
    pytest.param(100, marks=[pytest.mark.slow, pytest.mark.load]),
]
BRANCHES = "SELECT count(*) FROM ONLY pggit.branches AS b WHERE b.name = %s"
STATUS = "SELECT b.status::text FROM ONLY pggit.branches AS b WHERE b.name = %s"
HOLDING = """
SELECT array_agg(o.object_type::text || ' ' || o.full_name ORDER BY o.object_type, o.full_name)
  FROM ONLY pggit.objects AS o
 WHERE o.branch_name = %s AND o.is_active AND o.schema_name = 'public'
"""
COLUMNS = """
SELECT ARRAY(SELECT k.name FROM jsonb_object_keys(o.metadata -> 'columns') AS k(name)
              ORDER BY k.name)
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE' AND o.full_name = %s AND o.branch_name = %s AND o.is_active
"""
COPIES = """
SELECT t.branch_schema, t.branch_table, t.row_count
  FROM ONLY pggit.branched_tables AS t WHERE t.branch_name = %s
"""
COMMITS = """
SELECT array_agg(c.message ORDER BY c.id) FROM ONLY pggit.commits AS c
  JOIN ONLY pggit.branches AS b ON b.id = c.branch_id WHERE b.name = %s
"""
GROUND = """
CREATE TABLE public.ground (id integer PRIMARY KEY, note text);
INSERT INTO public.ground SELECT i, 'row ' || i FROM generate_series(1, 20) AS i;
CREATE TABLE public.other (id integer);
"""


@pytest.fixture
def crowd(chaos_connect: Any) -> Crowd:
    return Crowd(chaos_connect)


@pytest.fixture
def first(chaos_connect: Any) -> Target:
    """A session with a transaction that the test ends."""
    return Target(chaos_connect())


@pytest.fixture
def ground(pggit: Target) -> Target:
    """Some tables on main, committed."""
    pggit.conn.execute(GROUND)
    return pggit


def creating(*branches: str) -> Any:
    return lambda target: [target.create_branch(branch) for branch in branches]


def copying(branch: str, table: str = "ground") -> Any:
    return lambda target: target.create_data_branch(table, branch)


def rows_of(conn: psycopg.Connection[Any], branch: str) -> list[int]:
    """How many rows each copy of a branch has; the books have to agree if they say."""
    counts = []
    for schema, table, told in conn.execute(COPIES, (branch,)).fetchall():
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        counts.append(value(conn, count))
        assert told in (None, counts[-1]), f"{counts[-1]} rows were copied; the books say {told}"
    return counts


class TestConcurrentCreation:
    @pytest.mark.parametrize("num_workers", WORKERS)
    def test_concurrent_creation_of_one_branch(
        self, ground: Target, crowd: Crowd, num_workers: int
    ) -> None:
        """Promise: of N that create a branch of one name one succeeds; all others see 23505."""
        outcomes = crowd.together(*[creating("contested")] * num_workers)
        assert sqlstates(outcomes) == ["23505"] * (num_workers - 1)
        assert value(ground.conn, BRANCHES, "contested") == 1
        due = value(ground.conn, HOLDING, "main")
        assert value(ground.conn, HOLDING, "contested") == due, "it was filled twice, or half"

    @pytest.mark.slow
    @pytest.mark.parametrize("num_workers", [6, pytest.param(50, marks=pytest.mark.slow)])
    def test_concurrent_creation_of_different_branches(
        self, ground: Target, crowd: Crowd, num_workers: int
    ) -> None:
        """Promise: branches of different names do not get in each other's way."""
        names = [
            [f"worker/{worker}.{number}" for number in range(2)] for worker in range(num_workers)
        ]
        outcomes = crowd.together(*(creating(*some) for some in names))
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        ids = [id_ for outcome in outcomes for id_ in outcome]
        assert len(set(ids)) == 2 * num_workers, "branches have the same id"
        due = value(ground.conn, HOLDING, "main")
        for some in names:
            assert value(ground.conn, HOLDING, some[0]) == due

    @pytest.mark.parametrize("committed", [True, False])
    def test_a_name_is_taken_when_its_creation_is_committed(
        self, pggit: Target, crowd: Crowd, first: Target, committed: bool
    ) -> None:
        """Promise: a second creation waits for the first one, and fails only if that holds."""
        first.create_branch("contested")
        with crowd.running(creating("contested")) as second:
            second.settle()
            if committed:
                first.conn.commit()
            else:
                first.conn.rollback()
            outcome = second.outcome()
        assert sqlstates([outcome]) == (["23505"] if committed else []), f"it saw {outcome}"
        assert value(pggit.conn, BRANCHES, "contested") == 1

    @pytest.mark.slow
    def test_a_branch_has_a_schema_change_of_its_parent_wholly_or_not_at_all(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a branch begins with one moment of its parent, whatever is under way there."""
        first.conn.execute("ALTER TABLE public.ground ADD COLUMN more text")
        first.conn.execute("CREATE TABLE public.late (id integer)")
        with crowd.running(creating("side")) as second:
            second.settle()
            first.conn.commit()
            assert not errors([second.outcome()]), f"failed: {second.outcome()}"
        has_more = "more" in value(ground.conn, COLUMNS, "public.ground", "side")
        has_late = value(ground.conn, COLUMNS, "public.late", "side") is not None
        assert has_more == has_late, "it has half of what a transaction did"

    @pytest.mark.slow
    def test_each_session_has_a_branch_of_its_own(self, ground: Target, crowd: Crowd) -> None:
        """Promise: which branch a session is on is nobody else's business."""
        for branch in ("a", "b"):
            ground.create_branch(branch)

        def altering(branch: str) -> Any:
            def work(target: Target) -> None:
                target.switch_branch(branch)
                for number in range(2):
                    name = sql.Identifier(f"on_{branch}_{number}")
                    add = sql.SQL("CREATE TABLE public.{} (id integer)")
                    target.conn.execute(add.format(name))

            return work

        outcomes = crowd.together(*map(altering, ("a", "b", "main")))
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        for branch in ("a", "b", "main"):
            new = [each for each in value(ground.conn, HOLDING, branch) if "public.on_" in each]
            due = [f"TABLE public.on_{branch}_{number}" for number in range(2)]
            found = [each for each in new if each.startswith("TABLE")]
            assert found == due, f"{branch} has {found} of what was done on it and elsewhere"


class TestDeletion:
    def test_a_branch_is_deleted_once(self, pggit: Target, crowd: Crowd) -> None:
        """Promise: of many that delete a branch one does, and it is deleted."""
        pggit.create_branch("doomed")
        outcomes = crowd.together(*[lambda target: target.delete_branch("doomed")] * 5)
        failed = sqlstates(outcomes)
        assert len(failed) in (0, 4), f"of 5 deletions {len(failed)} failed, with {failed}"
        assert not set(sqlstates(outcomes)) & {"40P01", "XX000"}
        assert value(pggit.conn, STATUS, "doomed") in (None, "DELETED")

    @pytest.mark.parametrize("committed", [True, False])
    def test_a_commit_to_a_branch_that_is_being_deleted_is_refused_or_revives_it(
        self, pggit: Target, crowd: Crowd, first: Target, committed: bool
    ) -> None:
        """Promise: no commit is answered that is on a deleted branch."""
        pggit.create_branch("doomed")
        first.delete_branch("doomed")
        with crowd.running(lambda target: target.commit("doomed", "m")) as second:
            second.settle()
            if committed:
                first.conn.commit()
            else:
                first.conn.rollback()
            outcome = second.outcome()
        stored = value(pggit.conn, COMMITS, "doomed")
        if errors([outcome]):
            assert committed, f"nothing was deleted, and the commit failed: {outcome}"
            assert not stored, "the commit was refused, and it is there"
        else:
            assert stored == ["m"], "the commit was answered, and it is not there"
            status = value(pggit.conn, STATUS, "doomed")
            assert status == "ACTIVE", f"the commit was answered, and its branch is {status}"

    @pytest.mark.slow
    def test_a_branch_of_one_that_is_being_deleted_is_whole_or_refused(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a branch is not made of a parent that goes away under it."""
        ground.create_branch("doomed")
        due = value(ground.conn, HOLDING, "doomed")
        first.delete_branch("doomed")
        with crowd.running(lambda target: target.create_branch("heir", parent="doomed")) as second:
            second.settle()
            first.conn.commit()
            outcome = second.outcome()
        if errors([outcome]):
            assert value(ground.conn, BRANCHES, "heir") == 0, "refused, and it is there"
        else:
            assert value(ground.conn, HOLDING, "heir") == due, "it has only some of its parent"

    def test_branches_come_and_go_beside_each_other(self, ground: Target, crowd: Crowd) -> None:
        """Promise: sessions that create, fill, merge and delete branches do not fail each other."""

        def churning(worker: int) -> Any:
            def work(target: Target) -> None:
                for number in range(2):
                    branch = f"w{worker}/{number}"
                    target.create_branch(branch)
                    target.commit(branch, f"on {branch}")
                    target.merge(branch, "main", message=f"merge {branch}")
                    target.delete_branch(branch)

            return work

        outcomes = crowd.together(*map(churning, range(4)))
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        for worker in range(4):
            assert value(ground.conn, COMMITS, f"w{worker}/0") == [f"on w{worker}/0"]
        wrong = broken_lines(ground.conn) + broken_versions(ground.conn)
        assert not wrong, "\n".join(wrong)


class TestMerges:
    @pytest.mark.slow
    def test_a_change_that_commits_during_a_merge_comes_with_that_or_the_next_one(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: what a merge could not see yet is not taken for merged."""
        ground.create_branch("side")
        first.switch_branch("side")
        first.conn.commit()
        first.conn.execute("ALTER TABLE public.ground ADD COLUMN more text")
        first.conn.execute("SELECT set_config('lock_timeout', '10s', false)")

        def merging(target: Target) -> str:
            # So that the merge has a number in history that is behind that of the change.
            target.increment_version(target.object_id("other", branch="side"))
            return target.merge("side", "main", message="merge")

        with crowd.running(merging) as merge:
            merge.settle()
            first.conn.commit()
            assert not errors([merge.outcome()]), f"the merge failed: {merge.outcome()}"
        ground.merge("side", "main", message="merge again")
        columns = value(ground.conn, COLUMNS, "public.ground", "main")
        assert "more" in columns, f"two merges later main still has the columns {columns}"

    def test_one_change_that_is_merged_twice_is_taken_once(
        self, ground: Target, crowd: Crowd
    ) -> None:
        """Promise: of two merges of one branch at once the second finds nothing left to do."""
        version = "SELECT o.version FROM ONLY pggit.objects AS o WHERE o.id = %s"
        ground.create_branch("side")
        ground.switch_branch("side")
        ground.conn.execute("ALTER TABLE public.ground ADD COLUMN more text")
        ground.switch_branch("main")
        object_id = ground.object_id("ground")
        before = value(ground.conn, version, object_id)
        outcomes = crowd.together(*[lambda target: target.merge("side", "main")] * 3)
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        assert value(ground.conn, version, object_id) == before + 1, "the change was counted again"
        wrong = broken_lines(ground.conn) + broken_versions(ground.conn)
        assert not wrong, "\n".join(wrong)

    @pytest.mark.slow
    def test_a_merge_that_is_struck_in_its_middle_leaves_both_branches_as_they_were(
        self, ground: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: others who commit meanwhile see either all of a merge or nothing."""
        ground.create_branch("side")
        ground.switch_branch("side")
        ground.conn.execute("CREATE TABLE public.fresh (id integer)")
        ground.switch_branch("main")
        before = value(ground.conn, HOLDING, "main")

        def merging(target: Target) -> str:
            return target.merge("side", "main")

        with crowd.halted(chaos, "pggit.objects.*.after", merging) as merge:
            with crowd.running(lambda target: target.commit("main", "meanwhile")) as other:
                other.settle()
                assert value(ground.conn, HOLDING, "main") == before, "half of a merge can be seen"
                assert value(ground.conn, "SELECT pg_cancel_backend(%s)", merge.pid)
                assert sqlstates([merge.outcome()]) == ["57014"], f"it saw {merge.outcome()}"
                assert not errors([other.outcome()]), f"the commit failed: {other.outcome()}"
        assert value(ground.conn, HOLDING, "main") == before
        assert value(ground.conn, STATUS, "side") == "ACTIVE"
        assert value(ground.conn, COMMITS, "main") == ["meanwhile"]


class TestConcurrentDataBranches:
    @pytest.mark.slow
    def test_one_table_is_branched_for_many(self, ground: Target, crowd: Crowd) -> None:
        """Promise: each branch has a copy of all rows, made at once or not."""
        outcomes = crowd.together(*(copying(f"data{worker}") for worker in range(4)))
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        for worker in range(4):
            found = rows_of(ground.conn, f"data{worker}")
            assert found == [20], f"there are copies of {found} rows"

    @pytest.mark.slow
    def test_one_branch_has_one_copy_of_a_table(self, ground: Target, crowd: Crowd) -> None:
        """Promise: of two that copy a table for one branch one does; the books agree."""
        outcomes = crowd.together(*[copying("data")] * 3)
        assert len(errors(outcomes)) == 2, f"{3 - len(errors(outcomes))} of 3 made the same copy"
        found = rows_of(ground.conn, "data")
        assert found == [20], f"there are copies of {found} rows"

    @pytest.mark.slow
    def test_a_copy_has_the_rows_of_one_moment(
        self, ground: Target, chaos: Chaos, crowd: Crowd
    ) -> None:
        """Promise: rows that are written while a table is copied are all there or all missing."""
        with crowd.halted(chaos, "pggit.branched_tables.insert.before", copying("data")) as copy:
            insert = "INSERT INTO public.ground SELECT i FROM generate_series(101, 150) AS i"
            with crowd.running(lambda target: target.conn.execute(insert)) as writer:
                writer.settle()
                copy.go_on()
                outcomes = [copy.outcome(), writer.outcome()]
        assert not errors(outcomes), f"failed with {sqlstates(outcomes)}"
        found = rows_of(ground.conn, "data")
        assert found in ([20], [70]), f"there are copies of {found} rows"
        assert value(ground.conn, "SELECT count(*) FROM public.ground") == 70

    def test_a_copy_that_is_being_made_goes_with_its_branch(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a branch that is deleted leaves no copy behind, also not one just being made."""
        ground.create_branch("doomed")
        first.create_data_branch("ground", "doomed")
        with crowd.running(lambda target: target.delete_branch("doomed")) as deletion:
            deletion.settle()
            first.conn.commit()
            outcome = deletion.outcome()
        if value(ground.conn, STATUS, "doomed") in (None, "DELETED"):
            assert rows_of(ground.conn, "doomed") == [], "the copy of a deleted branch is there"
        else:
            assert errors([outcome]), "deleted, says pgGit, and the branch is there"

    @pytest.mark.slow
    def test_no_copy_is_made_for_a_branch_that_is_being_deleted(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a copy for a branch that goes away is refused, and nothing of it remains."""
        ground.create_branch("doomed")
        first.delete_branch("doomed")
        with crowd.running(copying("doomed")) as copy:
            copy.settle()
            first.conn.commit()
            outcome = copy.outcome()
        if value(ground.conn, STATUS, "doomed") in (None, "DELETED"):
            assert errors([outcome]), "data was branched for a branch that is deleted"
            assert rows_of(ground.conn, "doomed") == []


class TestBystanders:
    def test_who_only_looks_waits_for_nobody(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: branches can be listed while one is made, committed to, merged and deleted."""
        ground.create_branch("side")
        ground.create_branch("doomed")
        first.create_branch("made")
        first.commit("side", "m")
        first.merge("side")
        first.delete_branch("doomed")

        def looking(target: Target) -> list[Any]:
            return [value(target.conn, STATUS, branch) for branch in ("made", "side", "doomed")]

        with crowd.running(looking) as reader:
            done = reader.settle()
            first.conn.commit()
            seen = reader.outcome()
        assert done, "who reads which branches there are waits for a transaction that changes them"
        assert seen == [None, "ACTIVE", "ACTIVE"], f"seen of what was not committed: {seen}"


class TestGoingAway:
    @pytest.mark.parametrize(
        ("source", "target"), [("doomed", "main"), ("side", "doomed")], ids=["source", "target"]
    )
    def test_a_branch_that_is_being_deleted_is_not_merged(
        self, ground: Target, crowd: Crowd, first: Target, source: str, target: str
    ) -> None:
        """Promise: a merge that had to wait looks at its branches as they are then."""
        for branch in ("doomed", "side"):
            ground.create_branch(branch)
        first.delete_branch("doomed")
        with crowd.running(lambda each: each.merge(source, target)) as merge:
            merge.settle()
            first.conn.commit()
            outcome = merge.outcome()
        assert errors([outcome]), f"a deleted branch was merged: {outcome}"
        status = value(ground.conn, STATUS, "doomed")
        assert status in (None, "DELETED"), f"deleted, and then its status became {status}"

    def test_no_change_is_recorded_on_a_branch_that_is_being_deleted(
        self, ground: Target, crowd: Crowd, first: Target
    ) -> None:
        """Promise: a schema change on a branch that goes away is refused, with its record."""
        ground.create_branch("doomed")

        def changing(target: Target) -> None:
            target.switch_branch("doomed")
            target.conn.execute("CREATE TABLE public.late (id integer)")

        first.delete_branch("doomed")
        with crowd.running(changing) as change:
            change.settle()
            first.conn.commit()
            outcome = change.outcome()
        assert value(ground.conn, STATUS, "doomed") in (None, "DELETED")
        assert errors([outcome]), "a change was recorded on a branch that is deleted"
        assert value(ground.conn, "SELECT to_regclass('public.late')") is None
