"""How the reference target comes and goes."""

from __future__ import annotations

import re

import psycopg
import pytest

from pggit_chaos import reference


@pytest.fixture
def bare(cluster, bare_database):
    with cluster.connect(bare_database, autocommit=True) as connection:
        yield connection


def objects(conn):
    return conn.execute(
        """SELECT 'relation', oid::regclass::text FROM pg_class WHERE oid >= 16384
            UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE oid >= 16384
            UNION ALL SELECT 'type', oid::regtype::text FROM pg_type WHERE oid >= 16384
            UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE oid >= 16384
            UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger ORDER BY 1, 2"""
    ).fetchall()


def test_it_loads_whole_or_not_at_all(bare):
    before = objects(bare)
    bare.execute(
        "CREATE FUNCTION in_the_way() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
    )
    bare.execute(
        "CREATE EVENT TRIGGER pggit_drop_trigger ON sql_drop EXECUTE FUNCTION in_the_way()"
    )
    with pytest.raises(psycopg.errors.DuplicateObject):
        reference.load(bare)
    bare.execute("DROP EVENT TRIGGER pggit_drop_trigger; DROP FUNCTION in_the_way()")
    assert objects(bare) == before
    reference.load(bare)


def test_it_goes_with_its_schemas(bare):
    before = objects(bare)
    reference.load(bare)
    bare.execute(
        "CREATE TABLE t (id integer PRIMARY KEY); SELECT pggit.commit_changes('main', 'm')"
    )
    bare.execute("DROP SCHEMA pggit, pggit_base CASCADE; DROP TABLE t")
    assert objects(bare) == before


def test_it_needs_no_extension(bare):
    reference.load(bare)
    assert bare.execute("SELECT extname FROM pg_extension").fetchall() == [("plpgsql",)]


def test_main_is_there_from_the_start(conn):
    assert conn.execute(
        "SELECT id, name, parent_branch_id, head_commit_hash, status::text FROM pggit.branches"
    ).fetchall() == [(1, "main", None, None, "ACTIVE")]
    for table in ("commits", "objects", "history", "dependencies"):
        assert conn.execute(f"SELECT FROM pggit.{table}").fetchall() == []


@pytest.mark.parametrize("script", reference.scripts(), ids=lambda script: script.name)
def test_a_file_is_one_readable_unit_of_plain_sql(script):
    text = script.read_text()
    assert text.startswith("--\n-- ")
    assert len(text.splitlines()) <= 200
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"^\\|^CREATE OR REPLACE|^CREATE \w+ IF NOT EXISTS", text, re.MULTILINE)
    assert not re.search(r"clock_timestamp|gen_random_uuid", text)
