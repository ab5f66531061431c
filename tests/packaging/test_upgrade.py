"""ALTER EXTENSION UPDATE: what was upgraded equals what was installed afresh."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pggit_chaos import extension, reference
from pggit_chaos.cluster import Cluster
from servers.fleet import SETTINGS

RELEASED = Path(__file__).parent / "released"
VERSIONS = sorted(path.stem.removeprefix("pggit_chaos--") for path in RELEASED.glob("*.sql"))

_CATALOGUE = {
    "functions": """
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text,
               p.proowner::regrole::text, obj_description(p.oid, 'pg_proc')
          FROM pg_proc AS p WHERE p.pronamespace = 'pggit_chaos'::regnamespace""",
    "relations": """
        SELECT c.relname, c.relkind, c.relacl::text, obj_description(c.oid, 'pg_class'),
               CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END
          FROM pg_class AS c WHERE c.relnamespace = 'pggit_chaos'::regnamespace""",
    "columns": """
        SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'pggit_chaos'::regnamespace AND c.relkind IN ('r', 'v')""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'pggit_chaos'::regnamespace""",
    "sequences": """
        SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqmin, seqmax,
               seqincrement, seqcache, seqcycle
          FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
         WHERE c.relnamespace = 'pggit_chaos'::regnamespace""",
    "event triggers": """
        SELECT evtname, evtevent, evtenabled, evttags, evtfoid::regproc::text,
               obj_description(oid, 'pg_event_trigger')
          FROM pg_event_trigger WHERE evtname ~ '^pggit_chaos'""",
    "members": """
        SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
          FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         WHERE e.extname = 'pggit_chaos' AND d.refclassid = 'pg_extension'::regclass
           AND d.deptype = 'e'""",
    "kinds": "SELECT to_jsonb(k)::text FROM pggit_chaos._corruption_kind AS k",
    "checks": "SELECT to_jsonb(k)::text FROM pggit_chaos._integrity_check AS k",
    "recordings": "SELECT to_jsonb(r)::text FROM pggit_chaos._recording AS r",
    "extension": """
        SELECT extversion, extconfig::regclass[]::text, extcondition
          FROM pg_extension WHERE extname = 'pggit_chaos'""",
}


def catalogue(conn):
    return {
        name: sorted(conn.execute(query).fetchall(), key=repr) for name, query in _CATALOGUE.items()
    }


@pytest.fixture(scope="module")
def server(fleet, server_version):
    with Cluster(
        programs=fleet.programs(server_version), settings=SETTINGS, extensions=[RELEASED]
    ) as cluster:
        yield cluster


@pytest.fixture
def conn(server):
    server.create_database("drills")
    with server.connect("drills", autocommit=True) as conn:
        reference.load(conn)
        yield conn
    server.drop_database("drills")


def install(conn, version):
    conn.execute(psycopg.sql.SQL("CREATE EXTENSION pggit_chaos VERSION {}").format(version))
    conn.execute("ALTER DATABASE drills SET pggit_chaos.enabled = on")


@pytest.fixture(params=VERSIONS)
def released(request, conn):
    """A connection to a database with a released version, and with pgGit."""
    install(conn, request.param)
    conn.execute("SELECT pggit.commit_changes('main', 'a message')")
    return conn


def update(conn):
    conn.execute("ALTER EXTENSION pggit_chaos UPDATE")


def test_upgraded_equals_fresh(released):
    update(released)
    upgraded = catalogue(released)
    released.execute("DROP EXTENSION pggit_chaos")
    install(released, extension.version())
    fresh = catalogue(released)
    for name in _CATALOGUE:
        assert upgraded[name] == fresh[name], name


def test_a_corruption_that_was_done_before_the_update_is_healed_after_it(released):
    before = released.execute("SELECT pggit_chaos.state_digest()").fetchone()
    released.execute("SELECT pggit_chaos.corrupt('commit_parent_dangling')")
    update(released)
    assert released.execute("SELECT pggit_chaos.heal_all()").fetchone() == (1,)
    after = released.execute("SELECT pggit_chaos.state_digest()").fetchone()
    update_again = released.execute("SELECT count(*) FROM pggit_chaos.fsck()").fetchone()
    assert update_again == (0,)
    assert before is not None
    assert after is not None


def test_hooks_survive_the_update_and_come_out_after_it(released):
    sources = (
        "SELECT oid, prosrc FROM pg_proc WHERE pronamespace = 'pggit'::regnamespace ORDER BY 1"
    )
    before = released.execute(sources).fetchall()
    released.execute("SELECT pggit_chaos.install_hooks()")
    released.execute("SELECT pggit_chaos.arm('*', 'error(40001)', start_hit => 1000)")
    update(released)
    released.execute("SELECT pggit.commit_changes('main', 'with old hooks')")
    released.execute("RESET pggit_chaos.armed")
    released.execute("SELECT pggit_chaos.install_hooks()")
    assert released.execute("SELECT * FROM pggit_chaos.hooks_intact()").fetchall() == []
    released.execute(
        "SELECT pggit_chaos.arm('pggit.commits.insert.after', 'error(40001)', 'database')"
    )
    with pytest.raises(psycopg.errors.SerializationFailure):
        released.execute("SELECT pggit.commit_changes('main', 'with new hooks')")
    released.execute("SELECT pggit_chaos.disarm_all(everything => true)")
    assert released.execute(sources).fetchall() == before


def test_pggit_sees_nothing_of_the_update(released):
    objects = "SELECT count(*) FROM pggit.objects"
    before = released.execute(objects).fetchone()
    update(released)
    assert released.execute(objects).fetchone() == before


def test_the_extension_goes_after_an_update_and_leaves_pggit_alone(released):
    sources = (
        "SELECT oid, prosrc FROM pg_proc WHERE pronamespace = 'pggit'::regnamespace ORDER BY 1"
    )
    before = released.execute(sources).fetchall()
    released.execute("SELECT pggit_chaos.install_hooks()")
    update(released)
    released.execute("DROP EXTENSION pggit_chaos")
    assert released.execute(sources).fetchall() == before
    assert released.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgname ~ 'pggit_chaos'"
    ).fetchone() == (0,)
