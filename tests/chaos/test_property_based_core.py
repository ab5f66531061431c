"""What pgGit promises for every input: IDs, versions, messages, branches, and all together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from pggit_chaos import machine, strategies
from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.oracle import departures, observe, perform, refused, value
from pggit_chaos.plans import (
    AddColumn,
    Commit,
    CreateBranch,
    CreateTable,
    DeleteBranch,
    FaultPlan,
    Merge,
    Operation,
    Part,
    SwitchBranch,
    Version,
)
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.property]

# A statement of DDL costs what ten others do.
fewer = settings(max_examples=max(5, settings().max_examples // 2))

LAST = "SELECT {} FROM ONLY pggit.commits AS c WHERE c.hash = %s"
COMMITS = "SELECT count(*) FROM ONLY pggit.commits"
BRANCHES = "SELECT array_agg(b.name ORDER BY b.name) FROM ONLY pggit.branches AS b"
HEAD = "SELECT b.head_commit_hash FROM ONLY pggit.branches AS b WHERE b.name = %s"
TRINITY_ID = r"^\d{20}-\d{6,}-[0-9a-f]{8}$"

# One table, changed on two branches: a merge of them meets a conflict.
DIVERGED: list[Operation] = [
    CreateTable(table="shared"),
    CreateBranch(branch="side", parent="main"),
    SwitchBranch(branch="side"),
    AddColumn(table="shared", column="there"),
    SwitchBranch(branch="main"),
    AddColumn(table="shared", column="here"),
]


@contextmanager
def undone(pggit: Target) -> Iterator[psycopg.Connection[Any]]:
    """One example: what it does is rolled back."""
    with pggit.conn.transaction(force_rollback=True):
        yield pggit.conn


def commit_column(conn: psycopg.Connection[Any], column: str, hash_: str) -> Any:
    return value(conn, psycopg.sql.SQL(LAST).format(psycopg.sql.Identifier(column)), hash_)


@pytest.mark.rolled_back
class TestTrinityIds:
    @given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=2, max_size=6))
    @example([(200, False), (200, True), (200, False)])
    def test_trinity_ids_are_unique(self, pggit: Target, batches: list[tuple[int, bool]]) -> None:
        """Promise: no Trinity ID is issued twice, not even where the first was rolled back."""
        issued: list[str] = []
        with undone(pggit) as conn:
            for size, undo in batches:
                with conn.transaction(force_rollback=undo):
                    issued += [pggit.trinity_id() for _ in range(size)]
        twice = sorted({each for each in issued if issued.count(each) > 1})
        assert not twice, f"pgGit issued IDs more than once: {twice[:3]}"

    @given(st.integers(1, 5))
    def test_trinity_ids_ascend(self, pggit: Target, count: int) -> None:
        """Promise: a later ID of the same session has the higher number."""
        with undone(pggit):
            numbers = [int(pggit.trinity_id().split("-")[1]) for _ in range(count + 1)]
        assert numbers == sorted(set(numbers)), f"the numbers of Trinity IDs went back: {numbers}"

    @given(strategies.commit_messages(max_size=20))
    def test_a_commit_is_known_by_a_trinity_id_of_its_time(
        self, pggit: Target, message: str
    ) -> None:
        """Promise: a commit is stored under the ID that it answers, with the time of that ID."""
        with undone(pggit) as conn:
            hash_ = pggit.commit("main", message)
            row = conn.execute(
                "SELECT c.hash ~ %s,"
                "       to_char(c.committed_at, 'YYYYMMDDHH24MISSUS') = left(c.hash, 20)"
                "  FROM ONLY pggit.commits AS c WHERE c.hash = %s",
                (TRINITY_ID, hash_),
            ).fetchone()
        assert row is not None, f"commit answered {hash_!r}, which is not stored"
        assert row == (True, True), f"{hash_!r}: is a Trinity ID {row[0]}, has its time {row[1]}"

    @given(strategies.commit_ids())
    def test_an_id_of_the_callers_own_is_kept(self, pggit: Target, id_: str) -> None:
        """Promise: a commit that is given an ID has exactly that ID."""
        with undone(pggit) as conn:
            assert pggit.commit_as("main", "m", id_) == id_
            assert commit_column(conn, "hash", id_) == id_, f"{id_!r} is not what was stored"

    @given(strategies.commit_ids())
    def test_an_id_that_is_taken_is_refused(self, pggit: Target, id_: str) -> None:
        """Promise: no two commits have one ID: the second is refused as it is made."""
        with undone(pggit) as conn:
            pggit.commit_as("main", "first", id_)
            before = value(conn, COMMITS)
            with refused("23505"), conn.transaction():
                pggit.commit_as("main", "second", id_)
            assert value(conn, COMMITS) == before
            assert commit_column(conn, "message", id_) == "first"

    @given(strategies.trinity_ids())
    def test_a_forged_trinity_id_is_refused_or_kept_as_it_is(self, pggit: Target, id_: str) -> None:
        """Promise: an ID that looks issued and was not is refused, or kept: never another."""
        with undone(pggit) as conn:
            before = value(conn, COMMITS)
            try:
                with conn.transaction():
                    pggit.commit_as("main", "m", id_)
            except psycopg.Error:
                assert value(conn, COMMITS) == before
            else:
                assert commit_column(conn, "message", id_) == "m"


@pytest.mark.rolled_back
class TestVersions:
    @given(strategies.versions(), strategies.parts())
    @example(Version(1, 2, 3), "major")
    @example(Version(1, 2, 3), "minor")
    @example(Version(1, 2, 3), "patch")
    def test_the_next_version_is_the_semantic_one(
        self, pggit: Target, version: Version, part: Part
    ) -> None:
        """Promise: any version and any part give the version that semantic versioning gives."""
        due = version.next(part)
        assert pggit.next_version(*version, part) == (*due, str(due))

    @given(st.sampled_from(("patch", "minor", "major")))
    def test_a_version_that_cannot_be_raised_is_an_error(self, pggit: Target, part: Part) -> None:
        """Promise: at the end of its range a version is refused, and does not begin again."""
        full = strategies.INTEGER_MAX
        with refused("22003"), undone(pggit):
            pggit.next_version(full, full, full, part)

    @given(strategies.texts(max_size=12))
    @example("")
    @example("MAJOR ")
    def test_a_part_that_versions_do_not_have_is_refused(self, pggit: Target, part: str) -> None:
        """Promise: what is not major, minor or patch raises no version."""
        if part.lower() in ("major", "minor", "patch"):
            return
        try:
            with undone(pggit):
                answer = pggit.next_version(1, 2, 3, part)
        except psycopg.Error:
            return
        assert answer is None, f"part {part!r} raised 1.2.3 to {answer}"

    @given(st.lists(strategies.parts(), min_size=1, max_size=6))
    @example(["minor", "patch", "minor", "patch", "major", "minor"])
    def test_an_object_goes_from_version_to_version(self, pggit: Target, parts: list[Part]) -> None:
        """Promise: each increment is one version more, by its severity, and in history."""
        query = """
            SELECT o.version, ARRAY[o.version_major, o.version_minor, o.version_patch]
              FROM ONLY pggit.objects AS o WHERE o.id = %s"""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.counted (id integer)")
            object_id = pggit.object_id("counted")
            number, semantic = conn.execute(query, (object_id,)).fetchone() or (0, [])
            version = Version(*semantic)
            for part in parts:
                answer = pggit.increment_version(object_id, severity=part.upper())
                number, version = number + 1, version.next(part)
                assert answer == number, f"{part} answered {answer}, and {number} is due"
                assert conn.execute(query, (object_id,)).fetchone() == (number, list(version))
            told = conn.execute(
                "SELECT h.new_version, lower(h.change_severity::text) FROM ONLY pggit.history AS h"
                " WHERE h.object_id = %s ORDER BY h.id DESC LIMIT %s",
                (object_id, len(parts)),
            ).fetchall()
        first = number - len(parts) + 1
        assert told[::-1] == list(enumerate(parts, first)), "history tells of something else"


@pytest.mark.rolled_back
class TestCommitMessages:
    @given(strategies.commit_messages())
    @example("e\u0301 is not \u00e9")
    @example(" leads and trails ")
    @example("x" * 1000)
    @example("\U0001f4a5" * 1000)
    @example("%s %% $1 \\n {0}")
    def test_commit_message_preserved(self, pggit: Target, message: str) -> None:
        """Promise: any commit message is stored exactly."""
        with undone(pggit) as conn:
            stored = commit_column(conn, "message", pggit.commit("main", message))
        same = unicodedata.normalize("NFC", message) == unicodedata.normalize("NFC", stored or "")
        assert stored == message, (
            f"{message!r} became {stored!r}" + " (another Unicode form)" * same
        )

    @given(st.integers(1001, 40_000))
    @example(10_000)
    def test_a_long_message_is_kept_or_refused(self, pggit: Target, size: int) -> None:
        """Promise: a message is never cut: if it is too long, the caller is told."""
        message = "m" * (size - 1) + "."
        with undone(pggit) as conn:
            hash_ = None
            try:
                with conn.transaction():
                    hash_ = pggit.commit("main", message)
            except psycopg.Error as error:
                told = error.sqlstate
            assert hash_ is not None or told == "22001", f"too long, says pgGit with {told}"
            if hash_ is None:
                return
            stored = commit_column(conn, "message", hash_)
        assert stored == message, f"of {size} characters {len(stored or '')} were stored"

    @given(st.lists(strategies.commit_messages(max_size=20), min_size=1, max_size=6))
    def test_commits_follow_one_another(self, pggit: Target, messages: list[str]) -> None:
        """Promise: a branch's head is its last commit, whose parent is the head before it."""
        with undone(pggit) as conn:
            head = value(conn, HEAD, "main")
            for message in messages:
                hash_ = pggit.commit("main", message)
                parent = commit_column(conn, "parent_commit_hash", hash_)
                assert parent == head, f"the head was {head}, and {parent} is the parent recorded"
                head = value(conn, HEAD, "main")
                assert head == hash_, f"{hash_} was committed, and the head is {head}"

    @given(st.sampled_from(("UTC", "Asia/Kathmandu", "America/St_Johns")))
    def test_a_commit_says_who_made_it_and_when(self, pggit: Target, zone: str) -> None:
        """Promise: author, committer and time are those of the session that commits."""
        with undone(pggit) as conn:
            conn.execute("SELECT set_config('TimeZone', %s, true)", (zone,))
            hash_ = pggit.commit("main", "m")
            row = conn.execute(
                "SELECT c.author = session_user, c.committer = session_user,"
                " c.committed_at = LOCALTIMESTAMP FROM ONLY pggit.commits AS c WHERE c.hash = %s",
                (hash_,),
            ).fetchone()
        assert row == (True, True, True), f"author, committer, time are right: {row}"


@pytest.mark.rolled_back
class TestBranches:
    @given(strategies.branch_names())
    @example("Main")
    @example("MAIN")
    @example("a" * 200)
    @example("-")
    def test_a_branch_has_the_name_that_it_was_given(self, pggit: Target, name: str) -> None:
        """Promise: every name of letters, digits and . _ / # - is taken, exactly as it is."""
        with undone(pggit) as conn:
            before = value(conn, BRANCHES)
            pggit.create_branch(name)
            assert sorted(value(conn, BRANCHES)) == sorted([*before, name])

    @given(strategies.hostile_branch_names())
    def test_a_name_that_is_none_makes_no_branch(self, pggit: Target, name: str) -> None:
        """Promise: all other names are refused, by whatever makes a branch, and leave nothing."""
        with undone(pggit) as conn:
            before = value(conn, BRANCHES), value(conn, COMMITS)
            with refused(), conn.transaction():
                pggit.create_branch(name)
            with refused(), conn.transaction():
                pggit.commit(name, "m")
            assert (value(conn, BRANCHES), value(conn, COMMITS)) == before

    @given(st.from_regex("[a-z]{1,8}", fullmatch=True).filter(lambda name: name != "main"))
    def test_names_that_differ_in_case_are_different_branches(
        self, pggit: Target, name: str
    ) -> None:
        """Promise: a commit goes to the branch that it names, whatever others resemble it."""
        names = (name, name.upper(), name.capitalize() + ".")
        with undone(pggit) as conn:
            for each in names:
                pggit.create_branch(each)
            for each in names:
                branch = value(
                    conn,
                    "SELECT b.name FROM ONLY pggit.commits AS c"
                    " JOIN ONLY pggit.branches AS b ON b.id = c.branch_id WHERE c.hash = %s",
                    pggit.commit(each, f"to {each}"),
                )
                assert branch == each, f"a commit to {each!r} went to {branch!r}"

    @pytest.mark.slow
    @given(strategies.branch_names())
    def test_a_name_that_is_taken_is_refused(self, pggit: Target, name: str) -> None:
        """Promise: a second branch of a name is a 23505, and the first stays as it was."""
        query = "SELECT b::text FROM ONLY pggit.branches AS b WHERE b.name = %s"
        with undone(pggit) as conn:
            pggit.create_branch(name)
            before = value(conn, query, name)
            with refused("23505"), conn.transaction():
                pggit.create_branch(name)
            assert value(conn, query, name) == before

    @given(strategies.tables(names=st.just("inherited"), max_columns=5))
    def test_a_branch_begins_with_what_its_parent_has(self, pggit: Target, table: Any) -> None:
        """Promise: a new branch has the objects of its parent, with their columns and versions."""
        query = """
            SELECT o.object_type::text, o.full_name, o.version, p.full_name
              FROM ONLY pggit.objects AS o LEFT JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
             WHERE o.branch_name = %s AND o.is_active AND o.schema_name = 'public'
             ORDER BY 1, 2"""
        with undone(pggit) as conn:
            conn.execute(table.create)
            due = conn.execute(query, ("main",)).fetchall()
            assert len(due) > len(table.columns), "the parent does not know the table's columns"
            pggit.create_branch("heir")
            assert conn.execute(query, ("heir",)).fetchall() == due

    @given(st.sampled_from(("main", "other")))
    def test_deleting_a_branch_touches_no_other(self, pggit: Target, other: str) -> None:
        """Promise: what was committed stays, and other branches are as they were."""
        query = "SELECT b::text FROM ONLY pggit.branches AS b WHERE b.name = %s"
        with undone(pggit) as conn:
            for branch in ("doomed", "other"):
                pggit.create_branch(branch)
                pggit.commit(branch, f"on {branch}")
            before = value(conn, query, other), value(conn, COMMITS)
            pggit.delete_branch("doomed")
            assert (value(conn, query, other), value(conn, COMMITS)) == before
            status = value(
                conn, "SELECT b.status::text FROM ONLY pggit.branches AS b WHERE b.name = 'doomed'"
            )
            assert status in (None, "DELETED"), f"a deleted branch is {status}"


@pytest.mark.rolled_back
class TestHashes:
    @fewer
    @given(strategies.tables(names=st.just("hashed"), max_columns=4), st.data())
    def test_equal_definitions_have_equal_hashes_and_others_have_others(
        self, pggit: Target, table: Any, data: st.DataObject
    ) -> None:
        """Promise: the hash of a table follows its definition, and nothing else."""
        change = data.draw(
            st.sampled_from(
                (
                    "ADD COLUMN {} integer",
                    "ALTER COLUMN {} TYPE varchar(77) USING NULL",
                    "ALTER COLUMN {} SET DEFAULT NULL::text",
                    "ALTER COLUMN {} SET NOT NULL",
                    "RENAME COLUMN {} TO another",
                )
            )
        )
        column = "extra" if change.startswith("ADD") else "subject"
        with undone(pggit) as conn:
            hashes = []
            for _ in range(2):
                conn.execute(table.create)
                conn.execute("ALTER TABLE public.hashed ADD COLUMN subject varchar(5)")
                hashes.append(pggit.schema_hash("hashed"))
                conn.execute("ALTER TABLE public.hashed RENAME TO former")
                conn.execute("ALTER TABLE public.former RENAME TO hashed")
                hashes.append(pggit.schema_hash("hashed"))
                statement = psycopg.sql.SQL("ALTER TABLE public.hashed " + change)
                conn.execute(statement.format(psycopg.sql.Identifier(column)))
                changed = pggit.schema_hash("hashed")
                conn.execute("DROP TABLE public.hashed")
            assert None not in hashes, "pgGit has no hash of a table that exists"
            assert len(set(hashes)) == 1, f"one definition has several hashes: {set(hashes)}"
            if "NULL::text" not in change:  # a default of NULL is none
                assert changed != hashes[0], f"{change} does not change the hash"

    @fewer
    @given(strategies.columns(names=st.just("more")))
    def test_a_commits_tree_is_what_the_branch_holds(self, pggit: Target, column: Any) -> None:
        """Promise: the tree hash of a commit changes with what the branch holds, and only so."""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.grown (id integer)")
            trees = [commit_column(conn, "tree_hash", pggit.commit("main", "m")) for _ in "12"]
            if None in trees:
                raise NotApplicableError("this pgGit stores no hash of a commit's tree")
            statement = psycopg.sql.SQL("ALTER TABLE public.grown ADD COLUMN {}")
            conn.execute(statement.format(column.definition))
            trees.append(commit_column(conn, "tree_hash", pggit.commit("main", "m")))
        assert trees[0] == trees[1], "nothing changed, and the tree hash did"
        assert trees[1] != trees[2], "a table changed, and the tree hash did not"


class TestSequences:
    @pytest.mark.rolled_back
    @given(strategies.operation_sequences(min_size=1, max_size=8))
    @example([*DIVERGED, Merge(source="side", target="main")])
    @example([*DIVERGED, Merge(source="main", target="side")])
    @example(
        [
            *DIVERGED[:4],
            Merge(source="side", target="main"),
            Commit(branch="main", message="after the merge"),
            Merge(source="main", target="side"),
            DeleteBranch(branch="side"),
        ]
    )
    def test_ordinary_work_does_what_the_model_says(
        self, pggit: Target, operations: list[Operation]
    ) -> None:
        """Promise: whatever is done in whatever order, pgGit's tables hold what it documents."""
        with undone(pggit) as conn:
            model = observe(conn)
            for operation in operations:
                perform(pggit, operation)
                model.apply(operation)
            wrong = departures(model, observe(conn))
        assert not wrong, "pgGit broke its promises:\n  " + "\n  ".join(wrong)

    @pytest.mark.rolled_back
    @given(
        strategies.operation_sequences(min_size=1, max_size=4),
        strategies.fault_plans(
            (
                "pggit.commits.insert.before",
                "pggit.branches.*.before",
                "pggit.objects.*.after",
                "pggit.history.insert.*",
            ),
            max_hit=3,
        ),
    )
    @example(
        [Commit(branch="main", message="m")],
        FaultPlan(failpoint="pggit.commits.insert.before", action="error(40001)"),
    )
    def test_a_fault_in_any_sequence_undoes_one_operation_and_no_other(
        self, pggit: Target, chaos: Chaos, operations: list[Operation], plan: FaultPlan | None
    ) -> None:
        """Promise: an operation that fails leaves nothing, and those around it are untouched."""
        # Not every plan strikes, so it is armed past the books of --chaos-must-fire.
        unrecorded = Chaos(pggit.conn)
        with undone(pggit) as conn:
            model = observe(conn)
            for operation in operations:
                if machine.attempt(pggit, unrecorded, operation, plan):
                    model.apply(operation)
                else:
                    break
            wrong = departures(model, observe(conn))
        assert not wrong, "pgGit broke its promises:\n  " + "\n  ".join(wrong)

    def test_the_state_machine_finds_nothing(self, pggit: Target, chaos: Chaos) -> None:
        """Promise: all of the above, in any order, undone and struck in between; fsck agrees."""
        profile = settings()
        # Making a sequence smaller takes minutes: only where there is time for it.
        phases = [Phase.generate] if profile.derandomize else list(profile.phases)
        machine.run(
            machine.Ground(open=lambda: pggit.conn),
            settings(max_examples=max(1, profile.max_examples // 3), phases=phases),
        )


@pytest.mark.slow
@pytest.mark.destructive
@pytest.mark.recovery
def test_the_state_machine_survives_crashes(fresh_cluster: Any) -> None:
    """Promise: what was committed is there after a crash, and nothing else."""
    cluster: Cluster = fresh_cluster()
    machine.run(
        machine.ground_that_crashes(cluster, "pggit"),
        settings(max_examples=max(3, settings().max_examples // 5), stateful_step_count=8),
    )


@pytest.mark.rolled_back
class TestWhoAndWhen:
    def test_a_commit_is_of_the_role_that_makes_it(self, pggit: Target) -> None:
        """Promise: the author is the role that the session took, not the owner of pgGit."""
        with undone(pggit) as conn:
            conn.execute("CREATE ROLE chaos_author; GRANT USAGE ON SCHEMA pggit TO chaos_author")
            for what in ("TABLES", "SEQUENCES"):  # whoever may commit anywhere, may here
                conn.execute(f"GRANT ALL ON ALL {what} IN SCHEMA pggit TO chaos_author".encode())
            conn.execute("SET LOCAL ROLE chaos_author")
            pggit.commit("main", "m")
            conn.execute("RESET ROLE")
            people = conn.execute(
                "SELECT c.author, c.committer FROM ONLY pggit.commits AS c"
                " ORDER BY c.id DESC LIMIT 1"
            ).fetchone()
        assert people == ("chaos_author",) * 2, f"chaos_author committed, recorded is {people}"

    @given(st.integers(1970, 2199).filter(lambda year: year not in range(2020, 2040)))
    def test_a_commit_is_not_of_the_time_that_a_forged_id_says(
        self, pggit: Target, year: int
    ) -> None:
        """Promise: a Trinity ID with a year changed is refused, or its time is not believed."""
        with undone(pggit) as conn:
            forged = f"{year:04}{pggit.trinity_id()[4:]}"
            try:
                with conn.transaction():
                    pggit.commit_as("main", "m", forged)
            except psycopg.Error:
                return
            believed = commit_column(conn, "committed_at", forged)
        assert believed.year != year, f"a commit of today with ID {forged} is of {believed}"


@pytest.mark.rolled_back
class TestWhatIsTold:
    def test_a_session_is_told_the_version_on_its_branch(self, pggit: Target) -> None:
        """Promise: get_version answers for the branch that the session is on."""
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.told (id integer)")
            pggit.create_branch("side")
            pggit.increment_version(pggit.object_id("told", branch="side"))
            told = {}
            for branch in ("main", "side"):
                pggit.switch_branch(branch)
                told[branch] = pggit.get_version("public.told")
        main, side = told["main"], told["side"]
        if main is None or side is None or "version" not in main:
            raise NotApplicableError("this pgGit does not tell a version by number and branch")
        assert side["version"] == main["version"] + 1, f"one increment on side, told is {told}"

    @given(st.integers(1, 6))
    def test_of_a_long_history_the_latest_changes_are_told(self, pggit: Target, limit: int) -> None:
        """Promise: get_history answers the latest changes, the last one first."""
        function = "get_history(text,integer)"
        if not pggit.has(function):
            raise NotApplicableError(f"this pgGit has no function pggit.{function}")
        with undone(pggit) as conn:
            conn.execute("CREATE TABLE public.told (id integer)")
            object_id = pggit.object_id("told")
            for number in range(6):
                pggit.increment_version(object_id, description=f"change {number}")
            rows = conn.execute(
                "SELECT h.change_description FROM pggit.get_history('public.told'::text, %s) AS h",
                (limit,),
            ).fetchall()
        due = [f"change {5 - number}" for number in range(limit)]
        assert [row[0] for row in rows] == due, f"of 6 changes the last {limit} are told as {rows}"
