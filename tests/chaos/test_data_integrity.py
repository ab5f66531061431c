"""What pgGit's tables must say of each other, and whether damage to them would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.corruption]

Connection = psycopg.Connection[Any]


class TestCommits:
    def test_each_commit_names_the_one_before_it(self, pggit: Target) -> None:
        """Promise: the commits of a branch are a line, by their parents."""
        hashes = [pggit.commit("main", f"commit {number}") for number in range(4)]
        commits = Records(pggit.conn).commits("main")
        stored = [commit.hash for commit in commits]
        assert stored == hashes, f"the commits answered {hashes}, and stored are {stored}"
        for former, commit in pairwise(commits):
            assert commit.parent == former.hash, (
                f"commit {commit.message!r} says that it follows {commit.parent}; "
                f"it follows {former.hash}"
            )

    def test_a_head_is_the_last_commit_of_its_branch(self, pggit: Target) -> None:
        """Promise: the head of a branch is a commit that exists, and the newest one."""
        for branch in ("main", "side", "main", "side"):
            pggit.commit(branch, f"to {branch}")
        records = Records(pggit.conn)
        for name, branch in records.branches().items():
            newest = records.commits(name)[-1].hash
            assert branch.head == newest, f"the head of {name} is {branch.head}, not {newest}"

    def test_a_new_branch_begins_at_its_parents_head(self, pggit: Target) -> None:
        """Promise: the first commit of a branch follows the commit that it was made from."""
        base = pggit.commit("main", "base")
        pggit.create_branch("side")
        pggit.commit("side", "first of the side")
        (commit,) = Records(pggit.conn).commits("side")
        assert commit.parent == base, f"the side begins at {commit.parent}; main was at {base}"

    def test_a_hash_is_taken_once(self, pggit: Target) -> None:
        """Promise: no two commits have one Trinity ID, whoever writes them."""
        pggit.commit("main", "the only one")
        again = (
            "INSERT INTO pggit.commits (hash, branch_id, message)"
            " SELECT hash, branch_id, 'a second one' FROM ONLY pggit.commits"
        )
        with pggit.conn.transaction(force_rollback=True), pytest.raises(errors.UniqueViolation):
            pytest.fail(f"two commits of one hash: {pggit.conn.execute(again).rowcount} more")

    def test_a_change_says_with_which_commit_it_was_committed(self, pggit: Target) -> None:
        """Promise: after a commit each change of its branch belongs to a commit."""
        pggit.conn.execute("CREATE TABLE public.t (id integer)")
        first = pggit.commit("main", "the table")
        pggit.conn.execute("ALTER TABLE public.t ADD COLUMN more text")
        second = pggit.commit("main", "the column")
        changes = Records(pggit.conn).history("public.t")
        committed = [change.commit for change in changes]
        assert committed == [first, second], (
            f"two changes, each with a commit after it, are recorded with {committed}"
        )


@pytest.mark.rolled_back
class TestHistory:
    def test_no_change_of_an_object_is_forgotten(self, pggit: Target) -> None:
        """Promise: the history of an object has all of its changes, without a gap."""
        pggit.conn.execute("CREATE TABLE public.t (id integer)")
        for number in range(6):
            pggit.conn.execute(f"ALTER TABLE public.t ADD COLUMN c{number} text".encode())
            pggit.commit("main", f"column {number}")
        history = Records(pggit.conn).history("public.t")
        assert [change.change for change in history] == ["CREATE"] + ["ALTER"] * 6
        for former, change in pairwise(history):
            assert change.old_version == former.new_version, f"a gap: {former}, then {change}"

    def test_a_drop_ends_the_history_of_an_object(self, pggit: Target) -> None:
        """Promise: that an object was dropped is recorded, and what it was before stays."""
        pggit.conn.execute("CREATE TABLE public.t (id integer)")
        pggit.conn.execute("ALTER TABLE public.t ADD COLUMN more text")
        pggit.conn.execute("DROP TABLE public.t")
        records = Records(pggit.conn)
        assert not records.objects()["TABLE", "public.t"].active, "dropped, and still active"
        changes = [change.change for change in records.history("public.t")]
        assert changes == ["CREATE", "ALTER", "DROP"], f"its history says {changes}"

    def test_a_dropped_table_has_no_columns(self, pggit: Target) -> None:
        """Promise: the columns of a table go with it, and come back with it as they are then."""
        pggit.conn.execute("CREATE TABLE public.t (id integer, name text)")
        pggit.conn.execute("DROP TABLE public.t")
        records = Records(pggit.conn)
        left = records.columns("t")
        assert not left, f"the table is gone, and recorded of it are the columns {left}"
        pggit.conn.execute("CREATE TABLE public.t (other integer)")
        assert records.columns("t") == {"other"}

    def test_what_is_created_again_goes_on_from_there(self, pggit: Target) -> None:
        """Promise: a table of a name that was dropped has the history of that name."""
        for _ in range(2):
            pggit.conn.execute("CREATE TABLE public.t (id integer)")
            pggit.conn.execute("DROP TABLE public.t")
        pggit.conn.execute("CREATE TABLE public.t (id integer)")
        records = Records(pggit.conn)
        assert records.objects()["TABLE", "public.t"].active, "created again, and not active"
        changes = [change.change for change in records.history("public.t")]
        assert changes == ["CREATE", "DROP", "CREATE", "DROP", "CREATE"]


@pytest.mark.rolled_back
class TestBranches:
    def test_a_deleted_branch_keeps_what_was_committed(self, pggit: Target) -> None:
        """Promise: deleting a branch destroys neither commits nor history."""
        conn, records = pggit.conn, Records(pggit.conn)
        conn.execute("CREATE TABLE public.t (id integer)")
        pggit.create_branch("gone")
        pggit.switch_branch("gone")
        conn.execute("ALTER TABLE public.t ADD COLUMN more text")
        pggit.switch_branch("main")
        pggit.commit("gone", "on the branch")
        changes = records.history("public.t", branch="gone")
        pggit.delete_branch("gone")
        assert records.messages("gone") == ["on the branch"]
        assert changes, "what was changed on the branch is in no history of it"
        assert records.history("public.t", branch="gone") == changes, "its history went with it"

    def test_a_merged_branch_says_when_and_by_whom(self, pggit: Target) -> None:
        """Promise: MERGED comes with a time and a name, and no other status does."""
        pggit.create_branch("side")
        pggit.commit("side", "to be merged")
        pggit.merge("side")
        branches = Records(pggit.conn).branches()
        side = branches["side"]
        assert side.status == "MERGED", f"merged, and its status is {side.status}"
        assert side.merged_at is not None, "merged, and nobody knows when"
        assert side.merged_by is not None, "merged, and nobody knows by whom"
        assert branches["main"].merged_at is None

    def test_a_copy_that_is_dropped_is_struck_from_the_books(self, pggit: Target) -> None:
        """Promise: the books of data branches tell of copies that exist, and of no others."""
        conn = pggit.conn
        conn.execute("CREATE TABLE public.t AS SELECT generate_series(1, 3) AS id")
        pggit.create_data_branch("t", "data")
        books = "SELECT branch_schema, branch_table FROM ONLY pggit.branched_tables"
        copies = conn.execute(books).fetchall()
        if not copies:
            raise NotApplicableError("this pgGit keeps no books of copies")
        for copy in copies:
            conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(*copy)))
        assert conn.execute(books).fetchall() == [], "a copy was dropped, and its entry stays"


@pytest.mark.rolled_back
class TestDefinitions:
    def test_what_pggit_records_survives_a_crash(self, pggit: Target) -> None:
        """Promise: no table of pgGit's is unlogged or temporary."""
        rows = pggit.conn.execute(
            "SELECT c.relname, c.relpersistence FROM pg_class AS c"
            " WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind IN ('r', 'p', 'S')"
        ).fetchall()
        assert "commits" in dict(rows)
        lost = [name for name, persistence in rows if persistence != "p"]
        assert not lost, f"after a crash these are empty: {lost}"

    def test_pggit_hears_of_every_schema_change(self, pggit: Target) -> None:
        """Promise: the event triggers are there, enabled, and listen to everything."""
        rows = pggit.conn.execute(
            "SELECT evtname, evtevent, evtenabled, evttags FROM pg_event_trigger"
            " WHERE evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger') ORDER BY evtname"
        ).fetchall()
        assert [row[:2] for row in rows] == [
            ("pggit_ddl_trigger", "ddl_command_end"),
            ("pggit_drop_trigger", "sql_drop"),
        ]
        deaf = [row for row in rows if row[2] not in "OA" or row[3] is not None]
        assert not deaf, f"disabled, or deaf to some commands: {deaf}"

    def test_every_rule_of_the_tables_is_in_force(self, pggit: Target) -> None:
        """Promise: what a constraint says holds of all rows, and what an index says, too."""
        rows = pggit.conn.execute(
            "SELECT conname FROM pg_constraint WHERE connamespace = 'pggit'::regnamespace"
            " AND NOT convalidated UNION ALL SELECT indexrelid::regclass::text FROM pg_index"
            " JOIN pg_class ON oid = indexrelid WHERE relnamespace = 'pggit'::regnamespace"
            " AND NOT (indisvalid AND indisready)"
        ).fetchall()
        assert rows == []
        pggit.commit("main", "and work is recorded")
        assert Records(pggit.conn).messages() == ["and work is recorded"]


# What is written, how the write is lost or corrupted, and what does the writing.
WRITES: dict[str, tuple[str, str, Callable[[Target], object]]] = {
    "a commit is lost": (
        "pggit.commits.insert.before",
        "skip",
        lambda target: target.commit("main", "lost"),
    ),
    "a head is lost": (
        "pggit.branches.update.before",
        "skip",
        lambda target: target.commit("main", "lost"),
    ),
    "a parent is corrupted": (
        "pggit.commits.insert.before",
        'mutate({"parent_commit_hash": "a hash of nobody"})',
        lambda target: target.commit("main", "corrupted"),
    ),
    "a change is lost": (
        "pggit.history.insert.before",
        "skip",
        lambda target: target.increment_version(target.object_id("t")),
    ),
    "a version is lost": (
        "pggit.objects.update.before",
        "skip",
        lambda target: target.increment_version(target.object_id("t")),
    ),
    "a version is corrupted": (
        "pggit.history.insert.before",
        'mutate({"new_version": 99})',
        lambda target: target.increment_version(target.object_id("t")),
    ),
    "an entry of the books is lost": (
        "pggit.branch_storage_stats.insert.before",
        "skip",
        lambda target: target.create_data_branch("t", "data"),
    ),
}


@pytest.mark.rolled_back
@pytest.mark.may_leave_findings
@pytest.mark.parametrize(
    "name",
    cases(WRITES, smoke=["a commit is lost", "a parent is corrupted", "a change is lost"]),
)
def test_a_write_that_goes_wrong_is_noticed(chaos: Chaos, pggit: Target, name: str) -> None:
    """Promise: pgGit's books are kept twice, so that one lost or corrupted write shows.

    Failure: the storage swallows or changes a row, and reports success.
    """
    failpoint, action, operation = WRITES[name]
    pggit.conn.execute("CREATE TABLE public.t (id integer)")
    pggit.commit("main", "the ground")
    before = {(each.check_id, each.row_identity) for each in chaos.fsck()}
    with chaos.fault(failpoint, f"1*{action}") as fault:
        try:
            with pggit.conn.transaction():
                operation(pggit)
        except psycopg.Error:
            noticed_at_once = True
        else:
            noticed_at_once = False
        assert fault.fired == 1, f"{name}: nothing was written"
    found = {(each.check_id, each.row_identity) for each in chaos.fsck()} - before
    assert noticed_at_once or found, f"{name}, and nothing that pgGit keeps can tell"


@pytest.mark.rolled_back
def test_what_a_branch_takes_up_is_the_sum_of_its_copies(pggit: Target) -> None:
    """Promise: the storage statistics of a branch count the copies that it has, and no others."""
    conn = pggit.conn
    for table, rows in (("few", 3), ("many", 50)):
        conn.execute(f"CREATE TABLE public.{table} AS SELECT generate_series(1, {rows})".encode())
        pggit.create_data_branch(table, "copied")
    counts = """
        SELECT (SELECT s.row_count FROM ONLY pggit.branch_storage_stats AS s
                 WHERE s.branch_name = 'copied'),
               (SELECT sum(t.row_count) FROM ONLY pggit.branched_tables AS t
                 WHERE t.branch_name = 'copied')::bigint"""
    copy = conn.execute(
        "SELECT t.branch_schema, t.branch_table FROM ONLY pggit.branched_tables AS t"
        " WHERE t.branch_name = 'copied' AND t.source_table = 'many'"
    ).fetchone()
    if copy is None:
        raise NotApplicableError("this pgGit keeps no books of copies")
    found = conn.execute(counts).fetchone()
    assert found == (53, 53), f"53 rows are in the copies; statistics and books say {found}"
    conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*copy)))
    found = conn.execute(counts).fetchone()
    assert found == (3, 3), f"3 rows are in the copy that is left; statistics and books: {found}"
