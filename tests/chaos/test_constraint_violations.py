"""What must not be is refused, says so by its SQLSTATE, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from pggit_chaos.errors import NotApplicableError
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.transaction]

Connection = psycopg.Connection[Any]

UNIQUE = {"23505"}
FOREIGN_KEY = {"23503"}
CHECK = {"23514"}
NOT_NULL = {"23502"}

# Where pgGit decides by itself rather than by a constraint, it may say so with a
# code that fits or with that of a plain RAISE; never with one that means a bug.
RAISED = {"P0001", "22004", "22023", "42602", "42704", "55000", "0A000"}

CALLS: dict[str, tuple[Callable[[Target], object], set[str]]] = {
    "a branch that exists": (lambda t: t.create_branch("taken"), UNIQUE | {"42710", "P0001"}),
    "a branch of an unknown parent": (
        lambda t: t.create_branch("new", parent="unknown"),
        RAISED | FOREIGN_KEY,
    ),
    "a branch without a name": (lambda t: t.create_branch(""), RAISED | CHECK),
    "a branch with a space in its name": (lambda t: t.create_branch("a b"), RAISED | CHECK),
    "a branch with a line feed behind its name": (
        lambda t: t.create_branch("main\n"),
        RAISED | CHECK,
    ),
    "a commit to a branch that cannot be": (lambda t: t.commit("a;b", "m"), RAISED | CHECK),
    "a commit to a branch without a name": (lambda t: t.commit("", "m"), RAISED | CHECK),
    "a message that is too long": (lambda t: t.commit("main", "x" * 10_001), RAISED | {"22001"}),
    "deleting an unknown branch": (lambda t: t.delete_branch("unknown"), RAISED | {"P0002"}),
    "deleting main": (lambda t: t.delete_branch("main"), RAISED | {"42501"}),
    "merging an unknown branch": (lambda t: t.merge("unknown"), RAISED | {"P0002"}),
    "merging into an unknown branch": (
        lambda t: t.merge("taken", "unknown"),
        RAISED | {"P0002"} | FOREIGN_KEY,
    ),
    "a version of an unknown object": (
        lambda t: t.increment_version(2_000_000_000),
        RAISED | FOREIGN_KEY | NOT_NULL | {"P0002"},
    ),
    "data of an unknown table": (
        lambda t: t.create_data_branch("unknown", "new"),
        RAISED | {"42P01"},
    ),
    "data of an unknown branch": (
        lambda t: t.create_data_branch("known", "new", source="unknown"),
        RAISED | {"42P01"},
    ),
    "data that the branch has already": (
        lambda t: t.create_data_branch("known", "with_data"),
        RAISED | UNIQUE | {"42P07"},
    ),
}


@pytest.fixture
def ground(pggit: Target) -> Target:
    """A pgGit with a table, a branch and a data branch."""
    pggit.conn.execute("CREATE TABLE public.known (id integer PRIMARY KEY)")
    pggit.conn.execute("INSERT INTO public.known VALUES (1), (2)")
    pggit.create_branch("taken")
    pggit.create_data_branch("known", "with_data")
    pggit.commit("main", "the ground")
    return pggit


class TestCalls:
    @pytest.mark.rolled_back
    @pytest.mark.parametrize(
        "name",
        cases(
            CALLS,
            smoke=[
                "a branch that exists",
                "a branch of an unknown parent",
                "a commit to a branch that cannot be",
                "deleting main",
                "merging an unknown branch",
                "data of an unknown table",
            ],
        ),
    )
    def test_what_must_not_be_is_refused(
        self, ground: Target, chaos_injector: ChaosInjector, name: str
    ) -> None:
        """Promise: a wrong call raises an error that fits, changes nothing, and the next works."""
        call, expected = CALLS[name]
        before = chaos_injector.snapshot()
        with pytest.raises(psycopg.Error) as refused, ground.conn.transaction():
            pytest.fail(f"{name}: accepted, with the answer {call(ground)!r}")
        assert refused.value.sqlstate in expected, (
            f"{name}: refused with {refused.value.sqlstate} ({refused.value.diag.message_primary}),"
            f" which no caller can tell from a bug; expected one of {sorted(expected)}"
        )
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"{name}: refused, and yet it changed {changed}"
        ground.commit("main", "and the session goes on")

    def test_a_transaction_is_aborted_by_it_and_by_nothing_else(
        self, ground: Target, sync_conn: Connection
    ) -> None:
        """Promise: a refused call aborts the caller's transaction, and with it all it did."""
        sync_conn.execute("INSERT INTO public.known VALUES (3)")
        with pytest.raises(psycopg.Error):
            Target(sync_conn).create_branch("taken")
        assert sync_conn.info.transaction_status == TransactionStatus.INERROR
        with pytest.raises(errors.InFailedSqlTransaction):
            sync_conn.execute("SELECT")
        sync_conn.rollback()
        rows = ground.conn.execute("SELECT id FROM public.known ORDER BY id").fetchall()
        assert [row[0] for row in rows[:2]] == [1, 2]
        assert len(rows) == 2
        assert Records(sync_conn).branches().keys() >= {"main", "taken"}

    @pytest.mark.slow
    def test_a_savepoint_saves_the_rest(self, ground: Target, sync_conn: Connection) -> None:
        """Promise: within a savepoint a refused call costs the caller nothing."""
        target = Target(sync_conn)
        target.commit("main", "before")
        with pytest.raises(psycopg.Error), sync_conn.transaction():
            target.create_branch("taken")
        target.commit("main", "after")
        sync_conn.commit()
        assert Records(sync_conn).messages("main")[-2:] == ["before", "after"]

    @pytest.mark.rolled_back
    def test_a_branch_whose_copies_cannot_be_dropped_is_not_deleted(
        self, ground: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: a branch is deleted with its data or not at all.

        Failure: a view of the user's reads the copy, so that it cannot be dropped.
        """
        copy = ground.conn.execute(
            "SELECT branch_schema, branch_table FROM ONLY pggit.branched_tables"
            " WHERE branch_name = 'with_data'"
        ).fetchone()
        if copy is None:
            raise NotApplicableError("this pgGit keeps no books of copies")
        if "with_data" not in Records(ground.conn).branches():
            raise NotApplicableError("this pgGit makes no branch for a data branch")
        view = sql.SQL("CREATE VIEW public.reader AS SELECT * FROM {}")
        ground.conn.execute(view.format(sql.Identifier(*copy)))
        before = chaos_injector.snapshot()
        with pytest.raises(errors.DependentObjectsStillExist), ground.conn.transaction():
            ground.delete_branch("with_data")
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"the branch was not deleted, and yet {changed} changed"


@pytest.mark.rolled_back
class TestTables:
    """pgGit's rules that its tables keep by themselves, whoever writes."""

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            pytest.param(
                "INSERT INTO pggit.commits (hash, branch_id, message)"
                " SELECT hash, branch_id, 'again' FROM ONLY pggit.commits LIMIT 1",
                UNIQUE,
                id="two commits of one hash",
            ),
            pytest.param(
                "INSERT INTO pggit.commits (hash, branch_id, message)"
                " VALUES ('a hash of nobody', 2000000000, 'm')",
                FOREIGN_KEY,
                id="a commit on no branch",
            ),
            pytest.param(
                "INSERT INTO pggit.commits (hash, branch_id, message)"
                " VALUES ('a hash of nobody', NULL, 'm')",
                NOT_NULL | FOREIGN_KEY,
                id="a commit whose branch is NULL",
            ),
            pytest.param(
                "INSERT INTO pggit.branches (name) VALUES ('taken')",
                UNIQUE,
                id="two branches of one name",
            ),
            pytest.param(
                "INSERT INTO pggit.branches (name) VALUES ('')",
                CHECK,
                id="a branch without a name",
            ),
            pytest.param(
                "INSERT INTO pggit.branches (name) VALUES ('a b')",
                CHECK,
                id="a branch whose name cannot be",
            ),
            pytest.param(
                "INSERT INTO pggit.branches (name, parent_branch_id) VALUES ('n', 2000000000)",
                FOREIGN_KEY,
                id="a branch of no parent",
            ),
            pytest.param(
                "INSERT INTO pggit.branches (name, branch_type) VALUES ('n', 'unheard of')",
                CHECK,
                id="a branch of no type",
            ),
            pytest.param(
                "INSERT INTO pggit.objects (object_type, schema_name, object_name, branch_name)"
                " SELECT object_type, schema_name, object_name, branch_name"
                " FROM ONLY pggit.objects LIMIT 1",
                UNIQUE,
                id="two objects of one name",
            ),
            pytest.param(
                "INSERT INTO pggit.objects (object_type, schema_name, object_name, parent_id)"
                " VALUES ('COLUMN', 'public', 'known.more', 2000000000)",
                FOREIGN_KEY,
                id="a column of no table",
            ),
            pytest.param(
                "INSERT INTO pggit.history (object_id, change_type, change_severity)"
                " VALUES (2000000000, 'ALTER', 'MINOR')",
                FOREIGN_KEY,
                id="a change of no object",
            ),
            pytest.param(
                "INSERT INTO pggit.dependencies (dependent_id, depends_on_id)"
                " SELECT id, 2000000000 FROM ONLY pggit.objects LIMIT 1",
                FOREIGN_KEY,
                id="a dependency on no object",
            ),
            pytest.param(
                "INSERT INTO pggit.data_branches (table_schema, table_name, branch_id)"
                " VALUES ('public', 'known', 2000000000)",
                FOREIGN_KEY,
                id="data on no branch",
            ),
        ],
    )
    def test_a_row_that_must_not_be_is_refused(
        self, ground: Target, statement: str, expected: set[str]
    ) -> None:
        """Promise: what breaks a rule of pgGit's tables is refused with the rule's SQLSTATE."""
        with ground.conn.transaction(force_rollback=True):
            ground.conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(psycopg.Error) as caught:
                ground.conn.execute(statement.encode())
        assert caught.value.sqlstate in expected, (
            f"refused with {caught.value.sqlstate}: {caught.value.diag.message_primary}"
        )


class TestSchemaChanges:
    @pytest.mark.rolled_back
    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            pytest.param(
                "ALTER TABLE public.known ADD CONSTRAINT small CHECK (id < 2)",
                errors.CheckViolation,
                id="a check that rows break",
            ),
            pytest.param(
                "ALTER TABLE public.known ADD COLUMN more text NOT NULL",
                errors.NotNullViolation,
                id="a column without values",
            ),
            pytest.param(
                "CREATE UNIQUE INDEX one ON public.known ((id > 0))",
                errors.UniqueViolation,
                id="an index over duplicates",
            ),
            pytest.param(
                "ALTER TABLE public.known ADD COLUMN more text, ADD COLUMN more text",
                errors.DuplicateColumn,
                id="a column twice",
            ),
            pytest.param("DROP TABLE public.known", errors.DependentObjectsStillExist, id="a drop"),
            pytest.param(
                "CREATE TABLE public.known (id integer)", errors.DuplicateTable, id="a table twice"
            ),
        ],
    )
    def test_a_change_that_fails_is_not_recorded(
        self,
        pggit: Target,
        chaos_injector: ChaosInjector,
        statement: str,
        error: type[psycopg.Error],
    ) -> None:
        """Promise: what did not happen to the schema is in no record, however far it got."""
        pggit.conn.execute("CREATE TABLE public.known (id integer PRIMARY KEY)")
        pggit.conn.execute("INSERT INTO public.known VALUES (1), (2)")
        pggit.conn.execute("CREATE VIEW public.reader AS SELECT id FROM public.known")
        before = chaos_injector.snapshot()
        with pytest.raises(error), pggit.conn.transaction():
            pggit.conn.execute(statement.encode())
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a change that failed left something in {changed}"
        assert "public.known" in Records(pggit.conn).active()

    @pytest.mark.slow
    def test_a_constraint_that_waits_for_commit_takes_pggit_with_it(
        self, pggit: Target, sync_conn: Connection, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: pgGit's commit is part of the transaction that it is made in.

        Failure: a deferred foreign key of the application's is violated at COMMIT.
        """
        pggit.conn.execute("CREATE TABLE public.parent (id integer PRIMARY KEY)")
        pggit.conn.execute(
            "CREATE TABLE public.child (parent_id integer"
            " REFERENCES public.parent DEFERRABLE INITIALLY DEFERRED)"
        )
        before = chaos_injector.snapshot()
        Target(sync_conn).commit("main", "with an orphan")
        sync_conn.execute("INSERT INTO public.child VALUES (1)")
        with pytest.raises(errors.ForeignKeyViolation):
            sync_conn.commit()
        assert before.changes(chaos_injector.snapshot()) == []
        pggit.commit("main", "without one")
        assert Records(pggit.conn).messages() == ["without one"]


@pytest.mark.rolled_back
class TestDeletedBranches:
    @pytest.mark.parametrize(
        "call",
        [
            pytest.param(lambda t: t.switch_branch("gone"), id="switch"),
            pytest.param(lambda t: t.merge("gone"), id="merge"),
            pytest.param(lambda t: t.merge("taken", "gone"), id="merge_into"),
            pytest.param(lambda t: t.create_branch("heir", parent="gone"), id="create_branch"),
            pytest.param(lambda t: t.create_data_branch("known", "gone"), id="create_data_branch"),
            pytest.param(lambda t: t.delete_branch("gone"), id="delete"),
        ],
    )
    def test_a_deleted_branch_is_no_branch(
        self, ground: Target, chaos_injector: ChaosInjector, call: Callable[[Target], object]
    ) -> None:
        """Promise: what is deleted is not worked with; nothing but a commit brings it back."""
        ground.create_branch("gone")
        ground.delete_branch("gone")
        before = chaos_injector.snapshot()
        with pytest.raises(psycopg.Error) as refused, ground.conn.transaction():
            pytest.fail(f"a deleted branch was worked with; pgGit answered {call(ground)!r}")
        assert refused.value.sqlstate in RAISED | FOREIGN_KEY | {"P0002", "42P01"}
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"refused, and yet it changed {changed}"

    def test_a_commit_brings_a_deleted_branch_back(self, ground: Target) -> None:
        """Promise: a commit that is answered is on a branch that can be worked with."""
        ground.create_branch("gone")
        ground.delete_branch("gone")
        ground.commit("gone", "back again")
        branch = Records(ground.conn).branches()["gone"]
        assert branch.status == "ACTIVE", f"the commit was stored, and its branch is {branch}"
        ground.switch_branch("gone")

    def test_a_branch_is_not_merged_into_itself(
        self, ground: Target, chaos_injector: ChaosInjector
    ) -> None:
        """Promise: source and target of a merge are two branches."""
        before = chaos_injector.snapshot()
        with pytest.raises(psycopg.Error) as refused, ground.conn.transaction():
            pytest.fail(f"merged into itself; pgGit answered {ground.merge('taken', 'taken')!r}")
        assert refused.value.sqlstate in RAISED
        assert not before.changes(chaos_injector.snapshot())

    def test_nobody_deletes_what_others_have_copied(self, ground: Target) -> None:
        """Promise: deleting a branch drops no table that its caller could not drop himself."""
        conn = ground.conn
        with conn.transaction(force_rollback=True):
            conn.execute("CREATE ROLE chaos_stranger; GRANT USAGE ON SCHEMA pggit TO PUBLIC")
            for what in ("TABLES", "SEQUENCES"):
                statement = f"GRANT ALL ON ALL {what} IN SCHEMA pggit TO chaos_stranger"
                conn.execute(statement.encode())
            conn.execute("SET LOCAL ROLE chaos_stranger")
            with pytest.raises(errors.InsufficientPrivilege), conn.transaction():
                pytest.fail(
                    "a role that owns nothing deleted the branch, with somebody else's copy; "
                    f"pgGit answered {ground.delete_branch('with_data')!r}"
                )
            conn.execute("RESET ROLE")
            copies = conn.execute(
                "SELECT to_regclass(format('%I.%I', t.branch_schema, t.branch_table))"
                "  FROM ONLY pggit.branched_tables AS t WHERE t.branch_name = 'with_data'"
            ).fetchall()
        assert copies, "no copy was made: the test proves nothing"
        assert (None,) not in copies, "refused, and yet somebody else's copy is gone"
