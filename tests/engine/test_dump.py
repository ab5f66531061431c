"""A dump taken in the middle of everything restores a database that harms nobody."""

from __future__ import annotations

import subprocess

import pytest
from psycopg import sql

from pggit_chaos import binaries, extension, reference
from pggit_chaos.target import Target

pytestmark = pytest.mark.ends_will_do  # where one of them has its pg_dump

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"


@pytest.fixture
def pg_dump(cluster):
    """The pg_dump and pg_restore of the server's version: a newer one sets what it lacks."""
    major = cluster.programs.major
    for found in binaries.available():
        if found.major == major and found.program("pg_dump") and found.program("pg_restore"):
            return found
    pytest.skip(f"not applicable: no pg_dump for PostgreSQL {major} here")


@pytest.fixture(params=["extension", "script"])
def plain(request, cluster, bare_database):
    """The name of a database with pgGit, work done in it, and the extension without hooks."""
    with cluster.connect(bare_database, autocommit=True) as conn:
        reference.load(conn)
        if request.param == "extension":
            extension.install(conn)
        else:
            with conn.transaction():
                conn.execute(extension._plain_script())
        extension.enable(conn)
        assert extension.installation(conn).how == request.param
        Target(conn).prepare()
    return bare_database


@pytest.fixture
def restore(cluster, pg_dump, tmp_path):
    """Dump one database and restore it as another, of the same server; return its name."""
    made = []

    def one(database: str, *options: str) -> str:
        archive = tmp_path / f"{len(made)}.dump"
        name = cluster.create_database(f"{database}_restored_{len(made)}")
        made.append(name)
        program = [pg_dump.program("pg_dump"), "--dbname", cluster.dsn(database), *options]
        subprocess.run([*program, "-Fc", "-f", archive], check=True, capture_output=True)
        program = [pg_dump.program("pg_restore"), "--dbname", cluster.dsn(name)]
        result = subprocess.run(
            [*program, "--exit-on-error", archive], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return name

    yield one
    for name in made:
        cluster.drop_database(name)


def text(pg_dump, cluster, database):
    """The dump as text, without the key that fences it and without what is only ours."""
    program = [pg_dump.program("pg_dump"), "--dbname", cluster.dsn(database)]
    result = subprocess.run(
        [*program, "--exclude-schema=pggit_chaos"], check=True, capture_output=True, text=True
    )
    return [line for line in result.stdout.splitlines() if "restrict " not in line]


def arm_everything(conn):
    conn.execute("SELECT pggit_chaos.install_hooks()")
    for scope in ("session", "database", "role:postgres", f"pid:{conn.info.backend_pid}"):
        conn.execute("SELECT pggit_chaos.arm('*', 'error', %s, expires => '1 day')", [scope])


def test_what_is_restored_is_disarmed_and_its_hooks_work_or_come_out(
    cluster, pg_dump, plain, restore
):
    before = text(pg_dump, cluster, restore(plain))
    with cluster.connect(plain, autocommit=True) as conn:
        digest = conn.execute("SELECT pggit_chaos.state_digest()").fetchone()
        arm_everything(conn)
        copy = restore(plain)
        with cluster.connect(copy, autocommit=True) as restored:
            with restored.transaction(force_rollback=True):
                restored.execute(COMMIT)
                restored.execute("CREATE TABLE public.harmless (id integer)")
            assert restored.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)
            states = {state for (state,) in restored.execute("SELECT state FROM pggit_chaos.fault")}
            assert states <= {"expired"}
            # Once the owner opts in there, the hooks that came along work.
            restored.execute(
                sql.SQL("ALTER DATABASE {} SET pggit_chaos.enabled = on").format(
                    sql.Identifier(copy)
                )
            )
            restored.execute("SELECT pggit_chaos.arm('pggit.commits.insert.before', 'skip')")
            with restored.transaction(force_rollback=True):
                restored.execute(COMMIT)
                assert restored.execute(
                    "SELECT fired FROM pggit_chaos.fault WHERE state = 'armed'"
                ).fetchone() == (1,)
        with cluster.connect(copy, autocommit=True) as restored:
            restored.execute("SELECT pggit_chaos.disarm_all(everything => true)")
            assert restored.execute(
                "SELECT problem FROM pggit_chaos.hooks_intact()"
            ).fetchall() == [("no hooks are installed",)]
            assert restored.execute("SELECT pggit_chaos._armed() IS TRUE").fetchone() == (False,)
        conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")
        assert conn.execute("SELECT pggit_chaos.state_digest()").fetchone() == digest
    assert sequences_aside(text(pg_dump, cluster, copy)) == sequences_aside(before)


def sequences_aside(lines):
    """A commit that was taken back has moved them."""
    return [line for line in lines if "setval(" not in line]


def test_the_original_is_as_if_it_had_never_been_hooked(cluster, pg_dump, plain):
    before = text(pg_dump, cluster, plain)
    with cluster.connect(plain, autocommit=True) as conn:
        arm_everything(conn)
        conn.execute("SELECT pggit_chaos.disarm_all(everything => true)")
    assert text(pg_dump, cluster, plain) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_restored_copy_is_compared_with_what_was_recorded(cluster, pg_dump, plain, restore, when):
    tamper = """
        SET session_replication_role = replica;
        UPDATE pggit.commits SET message = left(message, 3) WHERE id = 1;
        RESET session_replication_role"""
    with cluster.connect(plain, autocommit=True) as conn:
        conn.execute("SELECT pggit_chaos.record_digests()")
        counts = conn.execute("SELECT subject, digests FROM pggit_chaos.recorded_digest").fetchall()
        conn.execute("SELECT pggit_chaos.install_hooks()")
        if when == "before":
            conn.execute(tamper)
    with cluster.connect(restore(plain), autocommit=True) as copy:
        assert (
            sorted(copy.execute("SELECT subject, digests FROM pggit_chaos.recorded_digest"))
            == sorted(counts)
            != []
        )
        if when == "after":
            assert copy.execute("SELECT * FROM pggit_chaos.fsck()").fetchall() == []
            copy.execute(tamper)
        found = copy.execute("SELECT check_id, row_identity FROM pggit_chaos.fsck()").fetchall()
        assert found == [("commit_rewritten", "id=1")]
