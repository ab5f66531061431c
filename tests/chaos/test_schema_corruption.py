"""The schema and what pgGit records of it: changes of every kind, behind its back, and damage."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import NotApplicableError, NothingToCorruptError
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.corruption]

Connection = psycopg.Connection[Any]

GROUND = """
CREATE TABLE public.a (id integer PRIMARY KEY, name text, price numeric);
CREATE TABLE public.b (id integer, a_id integer REFERENCES public.a);
CREATE VIEW public.v AS SELECT id, name FROM public.a;
CREATE INDEX a_name ON public.a (name);
"""

CHANGES = {
    "a table": "CREATE TABLE public.c (id integer PRIMARY KEY, UNIQUE (id))",
    "a table out of a query": "CREATE TABLE public.c AS SELECT 1 AS one, 2 AS two",
    "a table like another": "CREATE TABLE public.c (LIKE public.a INCLUDING ALL)",
    "names that need quotes": 'CREATE TABLE public."c ""d"" e" ("Column One" integer)',
    "a new column": "ALTER TABLE public.a ADD COLUMN more text",
    "three columns at once": "ALTER TABLE public.a ADD x text, ADD y text, DROP COLUMN price",
    "a column less": "ALTER TABLE public.a DROP COLUMN price",
    "a column of another name": "ALTER TABLE public.a RENAME COLUMN price TO cost",
    "a column of another type": "ALTER TABLE public.a ALTER COLUMN price TYPE bigint",
    "a table of another name": "ALTER TABLE public.b RENAME TO c",
    "an index more": "CREATE INDEX more ON public.a (price)",
    "an index less": "DROP INDEX public.a_name",
    "an index of another name": "ALTER INDEX public.a_name RENAME TO a_other",
    "a view": "CREATE VIEW public.w AS SELECT price FROM public.a",
    "a view replaced": "CREATE OR REPLACE VIEW public.v AS SELECT id, name, price FROM public.a",
    "a view less": "DROP VIEW public.v",
    "a table less": "DROP TABLE public.b",
    "a table less, with what reads it": "DROP TABLE public.a CASCADE",
    "a table created again": "DROP TABLE public.b; CREATE TABLE public.b (other integer)",
    "a schema less": (
        "CREATE SCHEMA s; CREATE TABLE s.t (id integer); DROP SCHEMA s CASCADE;"
        " ALTER TABLE public.a ADD COLUMN after_it text"
    ),
    "all in one transaction": (
        "CREATE TABLE public.c (id integer); ALTER TABLE public.c ADD COLUMN x text;"
        " ALTER TABLE public.c RENAME TO d; DROP VIEW public.v"
    ),
}

SMOKE = [
    "a table",
    "a new column",
    "a column of another name",
    "a table of another name",
    "an index of another name",
    "a view replaced",
    "a table less, with what reads it",
    "all in one transaction",
]

# What happens behind pgGit's back, and the ordinary change after which it must be up to date.
BYPASSES = {
    "a column": (
        "ALTER TABLE public.a ADD COLUMN hidden text",
        "ALTER TABLE public.a ADD COLUMN seen text",
    ),
    "a column less": (
        "ALTER TABLE public.a DROP COLUMN price",
        "ALTER TABLE public.a ADD COLUMN seen text",
    ),
    "a table": (
        "CREATE TABLE public.hidden (id integer)",
        "ALTER TABLE public.hidden ADD COLUMN seen text",
    ),
    "a table of another name": (
        "ALTER TABLE public.b RENAME TO hidden",
        "ALTER TABLE public.hidden ADD COLUMN seen text",
    ),
    "a table that is another": (
        "DROP TABLE public.b; CREATE TABLE public.b (other integer)",
        "ALTER TABLE public.b ADD COLUMN seen text",
    ),
    "a row of the catalogue": (
        "UPDATE pg_catalog.pg_attribute SET attname = 'cost'"
        " WHERE attrelid = 'public.a'::regclass AND attname = 'price'",
        "ALTER TABLE public.a ADD COLUMN seen text",
    ),
}

# A kind of each category; the others are drilled at the full level.
KINDS = {
    "branch": "branch_parent_cycle",
    "commit": "commit_parent_dangling",
    "data": "data_branch_dangling",
    "definition": "event_trigger_disabled",
    "dependency": "dependency_cycle",
    "history": "history_gap",
    "merge": "merge_conflict_dangling",
    "object": "object_parent_cycle",
    "sequence": "trinity_sequence_rewound",
}


@pytest.fixture
def ground(pggit: Target) -> Target:
    """A pgGit that knows two tables, a view and an index."""
    for statement in GROUND.strip().split(";\n"):
        pggit.conn.execute(statement.encode())
    return pggit


def _bypass(conn: Connection, script: str) -> None:
    """Change the schema as somebody does who has switched the event triggers off."""
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        for statement in script.split("; "):
            conn.execute(statement.encode())
        conn.execute("SET LOCAL session_replication_role = origin")  # for the test goes on


@pytest.mark.rolled_back
class TestTracking:
    @pytest.mark.parametrize("name", cases(CHANGES, smoke=SMOKE))
    def test_the_records_are_what_the_schema_is(self, ground: Target, name: str) -> None:
        """Promise: after a schema change the records and PostgreSQL's catalogue agree."""
        records = Records(ground.conn)
        drift = records.drift()
        assert not drift, f"before anything was changed: {drift}"
        with ground.conn.transaction():
            for statement in CHANGES[name].split("; "):
                ground.conn.execute(statement.encode())
        drift = records.drift()
        assert not drift, f"after {name} ({CHANGES[name]}): {drift}"

    def test_a_temporary_table_is_nobodys_business(self, ground: Target) -> None:
        """Promise: what lives as long as a session is not versioned."""
        records = Records(ground.conn)
        before = records.objects()
        ground.conn.execute("CREATE TEMPORARY TABLE a (id integer)")
        ground.conn.execute("ALTER TABLE pg_temp.a ADD COLUMN more text")
        ground.conn.execute("DROP TABLE pg_temp.a")
        assert records.objects() == before != {}
        assert records.drift() == []


@pytest.mark.rolled_back
class TestBypass:
    @pytest.mark.parametrize("name", cases(BYPASSES, smoke=["a column", "a table of another name"]))
    def test_pggit_catches_up_with_what_it_was_not_told(self, ground: Target, name: str) -> None:
        """Promise: the next change of an object that pgGit hears of records what it is by then.

        Failure: a change with event triggers off, or in the catalogue itself.
        """
        bypass, ordinary = BYPASSES[name]
        _bypass(ground.conn, bypass)
        records = Records(ground.conn)
        assert records.drift(), "the bypass was recorded, so it was none"
        ground.conn.execute(ordinary.encode())
        drift = records.drift()
        assert not drift, f"after the bypass, and {ordinary}: {drift}"

    @pytest.mark.may_leave_findings
    def test_a_schema_that_drifts_is_seen(self, chaos: Chaos, ground: Target) -> None:
        """Promise: what was changed behind pgGit's back can be found out."""
        before = {(each.check_id, each.row_identity) for each in chaos.fsck()}
        _bypass(ground.conn, "DROP TABLE public.b; CREATE TABLE public.hidden (id integer)")
        found = [f for f in chaos.fsck() if (f.check_id, f.row_identity) not in before]
        named = " ".join(f"{finding.row_identity} {finding.message}" for finding in found)
        assert "hidden" in named, f"a table that pgGit was not told of: {found}"
        assert "public.b" in named, f"a table that is gone without a word: {found}"


@pytest.mark.rolled_back
class TestDamage:
    def test_the_examples_have_a_kind_of_each_category(self, chaos: Chaos, ground: Target) -> None:
        """Promise of this suite: no category of damage is left out at the smoke level."""
        categories = {kind.category: kind for kind in chaos.corruption_kinds()}
        missing = {category for category, kind in categories.items() if kind.applies} - KINDS.keys()
        assert not missing, f"no test at the smoke level corrupts {missing}"
        assert Records(ground.conn).drift() == []

    @pytest.mark.parametrize("category", KINDS)
    def test_damage_is_seen_told_and_healed_and_pggit_goes_on(
        self, chaos: Chaos, pggit: Target, category: str
    ) -> None:
        """Promise: damage to the metadata shows, where it is, and what is healed is as before."""
        _furnish(chaos, pggit)
        kind = KINDS[category]
        (known,) = [each for each in chaos.corruption_kinds() if each.kind == kind]
        if not known.applies:
            raise NotApplicableError(f"this pgGit has nothing that {kind} corrupts")
        there = {check.check_id for check in chaos.integrity_checks() if check.applies}
        due = [check for check in known.detected_by if check in there]
        before, state = set(chaos.fsck(due)), chaos.state_digest()
        try:
            with chaos.corruption(kind) as done:
                found = set(chaos.fsck(due)) - before
                assert found, f"{done.rows} rows of {done.relation} corrupted: {known.summary}"
        except NothingToCorruptError as error:
            pytest.skip(f"not applicable: {error}")
        assert chaos.state_digest() == state, "healed, and not as before"
        pggit.commit("main", "goes on")
        assert Records(pggit.conn).messages("main")[-1] == "goes on"

    @pytest.mark.parametrize(
        "kind",
        cases(
            [
                "branch_parent_cycle",
                "commit_parent_cycle",
                "object_parent_cycle",
                "dependency_cycle",
            ],
            smoke=["commit_parent_cycle"],
        ),
    )
    def test_no_operation_walks_in_circles(self, chaos: Chaos, pggit: Target, kind: str) -> None:
        """Promise: a cycle in the records stops an operation with an error, or not at all."""
        _furnish(chaos, pggit)
        pggit.create_branch("side")
        conn = pggit.conn
        conn.execute("SET statement_timeout = '10s'")
        try:
            with chaos.corruption(kind), conn.transaction(force_rollback=True):
                for operation in (
                    lambda: pggit.commit("main", "in spite of it"),
                    lambda: pggit.create_branch("new"),
                    lambda: pggit.merge("side"),
                    lambda: conn.execute("DROP VIEW IF EXISTS public.none"),
                    lambda: conn.execute("CREATE TABLE public.fresh (id integer)"),
                ):
                    assert _sqlstate(conn, operation) != "57014", "it went on for ten seconds"
                assert "in spite of it" in Records(conn).messages("main")
        except NothingToCorruptError as error:
            pytest.skip(f"not applicable: {error}")

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [0, 1])
    @pytest.mark.parametrize("category", KINDS)
    def test_every_kind_of_damage_can_be_drilled(
        self, chaos: Chaos, pggit: Target, category: str, seed: int
    ) -> None:
        """Promise: damage of each kind shows, nothing unrelated speaks, and it can be healed."""
        chaos.uninstall_hooks()
        pggit.furnish(seed=seed)
        drills = chaos.drill_all(category, seed)
        failures = [f"{drill.kind}: {drill.failure}" for drill in drills if drill.failure]
        assert not failures, "\n".join(failures)
        if not any(drill.detected for drill in drills):
            raise NotApplicableError(f"this pgGit has nothing of category {category} to corrupt")
        pggit.commit("main", "goes on")


def _furnish(chaos: Chaos, pggit: Target) -> None:
    """Leave something of everything that can be corrupted."""
    pggit.furnish(steps=0)
    pggit.conn.execute("CREATE TABLE public.busy (id integer)")
    for number in range(3):
        pggit.conn.execute(f"ALTER TABLE public.busy ADD COLUMN c{number} text".encode())
        pggit.commit("main", f"column {number}")


def _sqlstate(conn: Connection, operation: Any) -> str | None:
    """Return how an operation failed, if it did."""
    try:
        with conn.transaction():
            operation()
    except psycopg.Error as error:
        return error.sqlstate
    return None


_DEPENDENCIES = """
SELECT a.full_name || ' on ' || b.full_name
  FROM ONLY pggit.dependencies AS d
  JOIN ONLY pggit.objects AS a ON a.id = d.dependent_id
  JOIN ONLY pggit.objects AS b ON b.id = d.depends_on_id
 WHERE a.branch_name = 'main' AND a.schema_name = 'public'
   AND a.object_type IN ('TABLE', 'VIEW') AND b.object_type IN ('TABLE', 'VIEW')
 ORDER BY 1
"""


@pytest.mark.rolled_back
class TestDependencies:
    @pytest.mark.parametrize(
        ("change", "due"),
        [
            pytest.param("", ["public.b on public.a", "public.v on public.a"], id="as_made"),
            pytest.param(
                "ALTER TABLE public.b DROP CONSTRAINT b_a_id_fkey",
                ["public.v on public.a"],
                id="without_the_foreign_key",
            ),
            pytest.param(
                "ALTER TABLE public.b DROP COLUMN a_id",
                ["public.v on public.a"],
                id="without_its_column",
            ),
            pytest.param(
                "CREATE OR REPLACE VIEW public.v AS SELECT id, ''::text AS name FROM public.b",
                ["public.b on public.a", "public.v on public.b"],
                id="of_another_view",
            ),
            pytest.param("DROP VIEW public.v", ["public.b on public.a"], id="without_the_view"),
        ],
    )
    def test_what_depends_on_what_is_what_the_schema_says(
        self, ground: Target, change: str, due: list[str]
    ) -> None:
        """Promise: a dependency is recorded when it begins, and struck out when it ends."""
        if change:
            ground.conn.execute(change.encode())
        found = [row[0] for row in ground.conn.execute(_DEPENDENCIES)]
        assert found == due, f"after {change or 'nothing'}: recorded is {found}"
