"""Little memory, wide tables, long histories: the same answers, at a price that does not grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pggit_chaos import starve
from pggit_chaos.chaos import Chaos
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError, UnavailableError
from pggit_chaos.injector import ChaosInjector
from pggit_chaos.plugin.levels import cases
from pggit_chaos.records import Records
from pggit_chaos.target import Target

pytestmark = [pytest.mark.chaos, pytest.mark.resource]

Connection = psycopg.Connection[Any]

MEGABYTE = 1 << 20

_READS = """
SELECT s.relname, COALESCE(s.seq_tup_read, 0) + COALESCE(s.idx_tup_fetch, 0),
       s.n_tup_ins + s.n_tup_upd + s.n_tup_del
  FROM pg_stat_xact_user_tables AS s
 WHERE s.schemaname = 'pggit'
"""
_MEMORY = "SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts"


def _work(conn: Connection, operation: Callable[[], object]) -> tuple[dict[str, int], int]:
    """Return how many rows of each of pgGit's tables an operation read, and how many it wrote."""
    with conn.transaction():
        before = {row[0]: row[1:] for row in conn.execute(_READS)}
        operation()
        after = {row[0]: row[1:] for row in conn.execute(_READS)}
    nothing = (0, 0)
    reads = {name: row[0] - before.get(name, nothing)[0] for name, row in after.items()}
    writes = sum(row[1] - before.get(name, nothing)[1] for name, row in after.items())
    return reads, writes


def _error(operation: Callable[[], object]) -> psycopg.Error | None:
    """Return how an operation failed, if it did."""
    try:
        operation()
    except psycopg.Error as error:
        return error
    return None


def _columns(count: int) -> str:
    return ", ".join(f"c{number} integer" for number in range(count))


class TestMemoryRefused:
    def test_a_data_branch_without_memory_leaves_nothing(
        self,
        chaos_cluster: Cluster,
        pggit: Target,
        chaos_connect: Callable[..., Connection],
        chaos_injector: ChaosInjector,
    ) -> None:
        """Promise: 53200 in the middle of a data branch is an error like any other.

        Failure: the kernel refuses the backend the memory for a value that it copies.
        """
        conn = pggit.conn
        for table in ("light", "heavy"):
            conn.execute(
                f"CREATE TABLE public.{table} (id integer PRIMARY KEY, value text)".encode()
            )
            external = f"ALTER TABLE public.{table} ALTER COLUMN value SET STORAGE EXTERNAL"
            conn.execute(external.encode())
        pggit.create_data_branch("light", "warm")  # so that the code itself is loaded
        heavy = "INSERT INTO public.heavy VALUES (1, repeat('x', 12000000))"
        with chaos_connect() as other:  # this session must not have had the memory before
            other.execute(heavy)
        before = chaos_injector.snapshot()
        try:
            with starve.memory_limit(chaos_cluster, conn.info.backend_pid, 4 * MEGABYTE):
                starved = _error(lambda: pggit.create_data_branch("heavy", "starved"))
        except UnavailableError as error:
            pytest.skip(f"not available here: {error}")
        if starved is None:
            rows = "SELECT row_count FROM ONLY pggit.branched_tables WHERE branch_name = 'starved'"
            assert conn.execute(rows).fetchone() in ((1,), (None,), None), (
                "the memory was refused, and a data branch without its row is in the books"
            )
            raise NotApplicableError("this pgGit needs no memory for a data branch")
        assert starved.sqlstate == "53200", f"53200 came out as {starved.sqlstate}: {starved}"
        changed = before.changes(chaos_injector.snapshot())
        assert not changed, f"a data branch that ran out of memory left something in {changed}"
        pggit.create_data_branch("heavy", "starved")
        assert "pggit.branched_tables" in before.changes(chaos_injector.snapshot())

    @pytest.mark.parametrize("operation", cases(["commit", "merge"], smoke=["commit"]))
    def test_memory_refused_at_any_step_surfaces(
        self, chaos: Chaos, pggit: Target, operation: str
    ) -> None:
        """Promise: 53200 surfaces as 53200, wherever it strikes."""
        pggit.create_branch("other")
        pggit.commit("other", "to be merged")
        if not pggit.has("commit_changes(text,text,text)"):
            commit = "SELECT pggit.create_commit('main'::text, 'm'::text, ''::text, NULL)"
        else:
            commit = "SELECT pggit.commit_changes('main'::text, 'm'::text, NULL::text)"
        merge = "SELECT pggit.merge_branches('other'::text, 'main'::text, 'm'::text)"
        outcomes = chaos.sweep({"commit": commit, "merge": merge}[operation], ["53200"])
        assert outcomes, f"the {operation} passed no failpoint"
        worse = [
            f"{outcome.failpoint}: {outcome.failure}" for outcome in outcomes if outcome.failure
        ]
        assert not worse, f"{operation} does not survive 53200\n" + "\n".join(worse)

    @pytest.mark.slow
    def test_answers_do_not_depend_on_work_mem(self, pggit: Target) -> None:
        """Promise: with 64 kB to sort in, the same branch, the same hash."""
        conn = pggit.conn
        for number in range(8):
            conn.execute(f"CREATE TABLE public.t{number} ({_columns(40)})".encode())
        hashes = []
        for setting in ("64kB", "64MB"):
            conn.execute(f"SET work_mem = '{setting}'".encode())
            branch = f"with_{setting}"
            pggit.create_branch(branch)
            hashes.append([pggit.schema_hash(f"t{number}") for number in range(8)])
        assert hashes[0] == hashes[1]
        assert None not in hashes[0]
        records, kinds = Records(conn), ["TABLE", "COLUMN"]
        everything = records.active(kinds)
        assert len(everything) >= 8 * 41
        assert records.active(kinds, branch="with_64kB") == everything
        assert records.active(kinds, branch="with_64MB") == everything

    def test_ordinary_work_needs_no_temporary_files(self, pggit: Target) -> None:
        """Promise: a commit, a branch and a merge fit into memory.

        Failure: temp_file_limit is 0, so that any file is a 53400.
        """
        conn = pggit.conn
        conn.execute(f"CREATE TABLE public.t ({_columns(20)})".encode())
        conn.execute("SET temp_file_limit = 0")
        pggit.create_branch("b")
        pggit.switch_branch("b")
        conn.execute("ALTER TABLE public.t ADD COLUMN more text")
        pggit.switch_branch("main")
        pggit.commit("b", "small")
        pggit.merge("b")
        assert "more" in Records(conn).columns("t")


class TestMemoryKept:
    def test_a_session_keeps_no_memory_of_its_commits(self, pggit: Target) -> None:
        """Promise: the three hundredth commit of a session finds it as small as the tenth."""
        for number in range(10):
            pggit.commit("main", str(number))
        for _ in range(2):  # what the questions themselves leave in caches is there then
            settings, memory = _settings(pggit.conn), _memory(pggit.conn)
        for number in range(300):
            pggit.commit("main", str(number))
        grown = _memory(pggit.conn) - memory
        assert grown < 5_000, f"300 commits left {grown} bytes in the session"
        grown = _settings(pggit.conn) - settings
        assert grown < 500, f"300 commits left {grown} bytes in the settings of the session"
        assert len(Records(pggit.conn).commits("main")) == 310


def _memory(conn: Connection) -> int:
    """Return how many bytes a session uses."""
    (used,) = conn.execute(_MEMORY).fetchone() or (0,)
    return int(used)


def _settings(conn: Connection) -> int:
    """Return how long pgGit's own settings are; PostgreSQL 15 does not count them as memory."""
    return sum(map(len, Records(conn).settings().values()))


class TestLargeTables:
    @pytest.mark.parametrize("width", cases([100, 400], smoke=[100]))
    def test_every_column_of_a_wide_table_is_recorded(self, pggit: Target, width: int) -> None:
        """Promise: a table of 100 columns and more is versioned like any other."""
        conn, records = pggit.conn, Records(pggit.conn)
        conn.execute(f"CREATE TABLE public.wide ({_columns(width)})".encode())
        assert len(records.columns("wide")) == width
        conn.execute("ALTER TABLE public.wide ADD COLUMN one_more integer")
        assert len(records.columns("wide")) == width + 1
        conn.execute(f"ALTER TABLE public.wide ALTER COLUMN c{width - 1} TYPE bigint".encode())
        first = pggit.schema_hash("wide")
        conn.execute(f"ALTER TABLE public.wide ALTER COLUMN c{width - 1} TYPE integer".encode())
        assert pggit.schema_hash("wide") != first, "the hash does not see the last column"
        pggit.create_branch("copy")
        assert len(records.columns("wide", branch="copy")) == width + 1

    def test_a_message_as_long_as_may_be_is_kept(self, pggit: Target) -> None:
        """Promise: ten thousand characters are kept, whatever bytes they take."""
        message = "\N{SNOWMAN}" * 10_000
        pggit.commit("main", message)
        assert Records(pggit.conn).messages() == [message]


class TestWorkDone:
    """What an operation costs, in rows read and written: time would tell of the machine."""

    def test_a_commit_costs_what_changed_and_not_what_ever_happened(self, pggit: Target) -> None:
        """Promise: a commit does not read the history of all times."""
        conn = pggit.conn
        conn.execute("CREATE TABLE public.t (id integer)")
        object_id = pggit.object_id("t")
        pggit.commit("main", "the beginning")
        conn.execute("ANALYZE pggit.history")

        def change() -> None:
            pggit.increment_version(object_id)
            pggit.commit("main", "one change")

        young, _ = _work(conn, change)
        _age(conn, object_id, 2_000)
        old, _ = _work(conn, change)
        assert old["history"] <= young["history"] + 20, (
            f"one change and one commit read {young['history']} rows of history when there was"
            f" little of it, and {old['history']} when there were 2000 rows more"
        )

    def test_a_commit_does_not_read_those_before_it(self, pggit: Target) -> None:
        """Promise: the hundredth commit of a branch costs no more than the tenth."""
        conn = pggit.conn
        reads = {}
        for commits in (10, 150):
            with conn.transaction():
                while len(Records(conn).commits("main")) < commits:
                    for number in range(10):
                        pggit.commit("main", str(number))
            conn.execute("ANALYZE pggit.commits")
            work, _ = _work(conn, lambda: pggit.commit("main", "one more"))
            reads[commits] = work["commits"]
        assert reads[150] <= reads[10] + 20, f"commits read by a commit, by their number: {reads}"

    def test_a_commit_writes_what_changed_and_nothing_else(self, pggit: Target) -> None:
        """Promise: a commit of one change does not rewrite what did not change."""
        conn = pggit.conn
        object_id = 0
        for number in range(10):
            conn.execute(f"CREATE TABLE public.t{number} ({_columns(10)})".encode())
            object_id = pggit.object_id(f"t{number}")
        pggit.commit("main", "the beginning")
        pggit.increment_version(object_id)
        _, written = _work(conn, lambda: pggit.commit("main", "one change"))
        assert 1 <= written <= 10, f"a commit of one change wrote {written} rows"

    def test_a_change_costs_what_the_table_has_and_not_what_others_have(
        self, pggit: Target
    ) -> None:
        """Promise: to record one table's columns does not read everybody's."""
        conn = pggit.conn
        conn.execute(f"CREATE TABLE public.small ({_columns(30)})".encode())
        conn.execute("ANALYZE pggit.objects")
        alone, _ = _work(
            conn, lambda: conn.execute("ALTER TABLE public.small ADD COLUMN d1 integer")
        )
        for number in range(2):
            conn.execute(f"CREATE TABLE public.big{number} ({_columns(200)})".encode())
        conn.execute("ANALYZE pggit.objects")
        crowded, _ = _work(
            conn, lambda: conn.execute("ALTER TABLE public.small ADD COLUMN d2 integer")
        )
        assert crowded["objects"] <= 3 * alone["objects"] + 50, (
            f"ALTER TABLE of 30 columns read {alone['objects']} records when it was alone,"
            f" and {crowded['objects']} beside 400 columns of other tables"
        )

    @pytest.mark.slow
    def test_a_schema_change_costs_n_for_n_columns(self, pggit: Target) -> None:
        """Promise: four times the columns cost four times as much, not sixteen times."""
        conn = pggit.conn
        reads = {}
        for width in (50, 200):
            conn.execute(f"CREATE TABLE public.w{width} ({_columns(width)})".encode())
        conn.execute("ANALYZE pggit.objects")
        for width in (50, 200):
            alter = f"ALTER TABLE public.w{width} ADD COLUMN more integer".encode()
            work, _ = _work(conn, lambda alter=alter: conn.execute(alter))
            reads[width] = work["objects"]
        assert reads[200] <= 8 * reads[50], f"records read by ALTER TABLE, by width: {reads}"


def _age(conn: Connection, object_id: int, changes: int) -> None:
    """Give an object so many more changes, all of them committed, as pgGit would have left them."""
    conn.execute(
        """
        INSERT INTO pggit.history (object_id, change_type, change_severity, commit_hash, branch_id,
                                   old_version, new_version, sql_executed, created_by)
        SELECT o.id, 'ALTER', 'PATCH', c.hash, o.branch_id, o.version + n - 1, o.version + n, '',
               current_user
          FROM ONLY pggit.objects AS o
         CROSS JOIN (SELECT min(hash) FROM ONLY pggit.commits) AS c(hash)
         CROSS JOIN generate_series(1, %(changes)s) AS n
         WHERE o.id = %(object_id)s
        """,
        {"changes": changes, "object_id": object_id},
    )
    conn.execute(
        "UPDATE pggit.objects SET version = version + %(changes)s WHERE id = %(object_id)s",
        {"changes": changes, "object_id": object_id},
    )
    conn.execute("ANALYZE pggit.history")


class TestLongLines:
    def test_a_commit_costs_the_same_however_many_came_before_it(self, pggit: Target) -> None:
        """Promise: a commit reads its branch's head, and not the line that leads there."""
        conn = pggit.conn
        for number in range(5):
            pggit.commit("main", str(number))
        conn.execute("ANALYZE pggit.commits")
        young, _ = _work(conn, lambda: pggit.commit("main", "young"))
        for number in range(150):
            pggit.commit("main", str(number))
        conn.execute("ANALYZE pggit.commits")
        old, _ = _work(conn, lambda: pggit.commit("main", "old"))
        dearer = {name: (young[name], old[name]) for name in young if old[name] > young[name] + 50}
        assert not dearer, f"rows read for the 6th commit and for the 156th: {dearer}"
