"""What a pgGit can do, and the work that is done on it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError, NotInstalledError
from pggit_chaos.target import CORE_FUNCTIONS, Target

Connection = psycopg.Connection[Any]


def test_the_reference_target_has_what_target_calls(conn: Connection) -> None:
    target = Target(conn)
    alternatives = {
        "create_commit(text,text,text,uuid[])",
        "merge(text,text,text)",
        "delete_branch(text,boolean)",
    }
    assert {each for each in CORE_FUNCTIONS if not target.has(each)} <= alternatives


def test_functions_are_spelled_the_same_whatever_the_search_path(conn: Connection) -> None:
    plain = Target(conn).functions
    conn.execute("SET search_path = pggit, public")
    assert Target(conn).functions == plain


def test_a_commit_is_recorded(conn: Connection) -> None:
    hash_ = Target(conn).commit("main", "what was done")
    row = conn.execute("SELECT message FROM pggit.commits WHERE hash = %s", (hash_,)).fetchone()
    assert row == ("what was done",)


def test_a_commit_has_the_id_that_the_caller_names(conn: Connection) -> None:
    assert Target(conn).commit_as("main", "m", "an ID of my own") == "an ID of my own"


def test_the_version_that_follows_is_asked_for(conn: Connection) -> None:
    assert Target(conn).next_version(1, 2, 3, "minor") == (1, 3, 0, "1.3.0")


def test_branches_are_created_merged_and_deleted(conn: Connection) -> None:
    target = Target(conn)
    target.create_branch("chaos/a")
    target.create_branch("chaos/b", parent="chaos/a")
    target.commit("chaos/a", "work")
    target.merge("chaos/a", "main", message="merge it")
    target.delete_branch("chaos/b")
    statuses = dict(conn.execute("SELECT name, status::text FROM pggit.branches").fetchall())
    assert statuses == {"main": "ACTIVE", "chaos/a": "MERGED", "chaos/b": "DELETED"}


def test_versions_are_counted(conn: Connection) -> None:
    conn.execute("CREATE TABLE public.counted (i int)")
    target = Target(conn)
    before = target.get_version("public.counted")
    assert before is not None
    after = target.increment_version(target.object_id("counted"))
    assert after == before["version"] + 1


def test_a_table_that_pggit_does_not_know_has_no_id(conn: Connection) -> None:
    with pytest.raises(NotApplicableError, match='does not know table "nowhere"'):
        Target(conn).object_id("nowhere")


def test_data_is_branched(conn: Connection) -> None:
    target = Target(conn)
    target.prepare()
    target.create_data_branch("chaos_ground", "chaos_data")
    row = conn.execute("SELECT source_table FROM pggit.branched_tables").fetchone()
    assert row == ("chaos_ground",)


def test_identities_and_hashes_are_asked_for(conn: Connection) -> None:
    conn.execute("CREATE TABLE public.hashed (i int)")
    target = Target(conn)
    assert target.trinity_id() != target.trinity_id()
    assert target.schema_hash("hashed") == target.schema_hash("hashed") != None  # noqa: E711


def test_every_core_operation_succeeds_on_its_ground(conn: Connection) -> None:
    target = Target(conn)
    target.prepare()
    for operation in target.operations():
        with conn.transaction(force_rollback=True):
            conn.execute(operation.statement)


@pytest.mark.one_version
def test_the_same_seed_does_the_same_work(cluster: Cluster, conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        first = Target(conn).workload(seed=7, steps=25)
    with conn.transaction(force_rollback=True):
        again = Target(conn).workload(seed=7, steps=25)
    with conn.transaction(force_rollback=True):
        other = Target(conn).workload(seed=8, steps=25)
    assert len(first) == 25
    assert first == again != other


@pytest.mark.one_version
def test_furnishing_leaves_something_for_every_corruption(conn: Connection) -> None:
    Target(conn).furnish(seed=5)
    rows = conn.execute("SELECT kind, detected FROM pggit_chaos.drill_all()").fetchall()
    assert rows
    assert [kind for kind, detected in rows if not detected] == []


def test_a_workload_leaves_a_healthy_pggit(conn: Connection) -> None:
    Target(conn).workload(seed=3, steps=80)
    assert conn.execute("SELECT * FROM pggit_chaos.fsck()").fetchall() == []


@pytest.mark.one_version
def test_an_empty_pggit_can_do_nothing(cluster: Cluster, bare_database: str) -> None:
    with cluster.connect(bare_database) as conn:
        conn.execute("CREATE SCHEMA pggit")
        conn.execute("CREATE FUNCTION pggit.version() RETURNS text RETURN '1'")
        target = Target(conn)
        with pytest.raises(NotApplicableError, match=r"no function pggit\.commit_changes"):
            target.commit("main", "m")


@pytest.mark.one_version
def test_a_database_without_pggit_says_so(cluster: Cluster, bare_database: str) -> None:
    with cluster.connect(bare_database) as conn:
        with pytest.raises(NotInstalledError, match="has no pgGit"):
            Target(conn).commit("main", "m")


@pytest.mark.one_version
def test_a_workload_goes_on_where_pggit_fails_by_itself(conn: Connection) -> None:
    conn.execute("ALTER TABLE pggit.branches ADD CHECK (status <> 'DELETED')")
    done = Target(conn).workload(seed=3, steps=60)
    (failed,) = [step for step in done if "fails by itself" in step]
    assert failed == "delete branch: fails by itself with 23514"
    assert len(done) == 60


@pytest.mark.one_version
def test_other_functions_stand_in_for_those_that_are_not_there(conn: Connection) -> None:
    conn.execute("DROP FUNCTION pggit.commit_changes(text,text,text)")
    conn.execute("""
        CREATE FUNCTION pggit.create_commit(text, text, text, uuid[]) RETURNS uuid
        RETURN '00000000-0000-0000-0000-000000000007'::uuid
    """)
    assert Target(conn).commit("main", "m").endswith("0007")


def test_work_is_done_on_a_real_pggit(real_pggit: Connection) -> None:
    target = Target(real_pggit)
    target.prepare()
    assert len(target.workload(seed=1, steps=40)) == 40


def test_what_a_call_raises_names_the_function(conn: Connection) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        Target(conn).create_branch("no name at all")
    assert refusal.value.__notes__ == ["raised by pggit.create_branch(text,text,boolean)"]
