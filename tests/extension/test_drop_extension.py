"""A plain DROP EXTENSION puts pgGit back, whatever was hooked or armed."""

from __future__ import annotations

import subprocess

import pytest

from catalogue import fingerprint
from pggit_chaos import binaries


@pytest.fixture
def plain(conn):
    """pgGit with an ordinary history, without the extension."""
    conn.execute("""
        CREATE TABLE public.t (a int PRIMARY KEY, b text);
        SELECT pggit.commit_changes('main', 'a message');
        DROP EXTENSION pggit_chaos;
    """)
    return conn


def create(conn):
    conn.execute("CREATE EXTENSION pggit_chaos")
    conn.execute("SELECT pggit_chaos.record_digests()")
    conn.execute("SELECT pggit_chaos.install_hooks()")
    conn.execute("SELECT pggit_chaos.arm('*', 'error(40001)', start_hit => 1000)")


def test_drop_extension_leaves_the_catalogue_and_the_rows_as_they_were(plain):
    before = fingerprint(plain)
    create(plain)
    assert fingerprint(plain) != before
    plain.execute("DROP EXTENSION pggit_chaos")
    assert fingerprint(plain) == before


@pytest.mark.parametrize(
    "statement",
    [
        "drop extension pggit_chaos",
        'DROP EXTENSION IF EXISTS "pggit_chaos"',
        "DROP SCHEMA pggit_chaos CASCADE",
        "DO $$ BEGIN EXECUTE 'DROP EXTENSION pggit_chaos'; END $$",
        "DO $$ BEGIN EXECUTE format('DROP EXTENSION %I', 'pggit' || '_chaos'); END $$",
        "BEGIN; SELECT pggit.commit_changes('main', 'x'); DROP EXTENSION pggit_chaos; ROLLBACK;"
        " DROP EXTENSION pggit_chaos",
    ],
)
def test_every_way_of_dropping_it_puts_pggit_back(plain, statement):
    before = fingerprint(plain)
    create(plain)
    plain.execute("SELECT nextval('pggit.trinity_id_seq')")
    plain.execute("SELECT setval('pggit.trinity_id_seq', 1)")
    plain.execute(statement)
    after = fingerprint(plain)
    assert {name for name in before if before[name] != after[name]} <= {
        "pggit.commits_id_seq",
        "pggit.trinity_id_seq",
        # DROP EXTENSION leaves its schema behind, empty; DROP SCHEMA does not.
        "pg_namespace",
        "pg_init_privs",
    }


def test_dropping_something_else_leaves_the_hooks_alone(conn):
    conn.execute("SELECT pggit_chaos.install_hooks()")
    conn.execute("CREATE SCHEMA other")
    conn.execute("DROP SCHEMA other")
    assert conn.execute("SELECT count(*) FROM pggit_chaos.hooks_intact()").fetchone() == (0,)


def test_pg_dump_sees_no_difference(cluster, plain, database):
    server = plain.info.server_version // 10000
    pg_dump = next(
        (
            found.program("pg_dump")
            for found in binaries.available()
            if found.major >= server and found.program("pg_dump")
        ),
        None,
    )
    if pg_dump is None:
        pytest.skip(f"not applicable: no pg_dump for PostgreSQL {server} here")

    def dump():
        result = subprocess.run(
            [pg_dump, "--dbname", cluster.dsn(database)], check=True, capture_output=True, text=True
        )
        # pg_dump 15.14 and later fence the script with a random key.
        return [line for line in result.stdout.splitlines() if "restrict " not in line]

    before = dump()
    create(plain)
    plain.execute("DROP EXTENSION pggit_chaos")
    assert dump() == before
