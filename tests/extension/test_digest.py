"""Two equal digests mean that pgGit is in the same state."""

from __future__ import annotations

import psycopg
import pytest

pytestmark = pytest.mark.ends_will_do


def state(conn):
    return conn.execute("SELECT pggit_chaos.state_digest()").fetchone()[0]


def changed(conn, before):
    after = dict(conn.execute("SELECT relation, digest FROM pggit_chaos.digest()").fetchall())
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def digest(conn):
    return dict(conn.execute("SELECT relation, digest FROM pggit_chaos.digest()").fetchall())


@pytest.mark.parametrize(
    ("change", "seen_in"),
    [
        ("UPDATE pggit.branches SET description = 'x'", "pggit.branches"),
        ("DELETE FROM pggit.branches", "pggit.branches"),
        ("INSERT INTO pggit.commits (hash, branch_id) VALUES ('h', 1)", "pggit.commits"),
        ("SELECT setval('pggit.trinity_id_seq', 99)", "pggit.trinity_id_seq"),
        ("ALTER SEQUENCE pggit.trinity_id_seq INCREMENT 2", "definition of sequence"),
        ("ALTER EVENT TRIGGER pggit_ddl_trigger DISABLE", "definition of event trigger"),
        ("ALTER TABLE pggit.commits ADD COLUMN x int", "definition of column"),
        ("ALTER TABLE pggit.commits ALTER hash DROP NOT NULL", "definition of column"),
        ("ALTER TABLE pggit.commits ALTER hash SET DEFAULT 'x'", "definition of column"),
        ("ALTER TABLE pggit.commits ADD CHECK (true)", "definition of constraint"),
        (
            "ALTER TABLE pggit.commits ADD CONSTRAINT c CHECK (true) NOT VALID",
            "definition of constraint",
        ),
        ("ALTER TABLE pggit.commits DISABLE TRIGGER ALL", "definition of foreign key trigger"),
        ("CREATE INDEX i ON pggit.commits (message)", "definition of index"),
        ("ALTER TABLE pggit.commits ENABLE ROW LEVEL SECURITY", "definition of relation"),
        ("GRANT SELECT ON pggit.commits TO pg_monitor", "definition of relation"),
        ("CREATE VIEW pggit.v AS SELECT 1 AS a", "definition of relation"),
        ("CREATE POLICY p ON pggit.commits USING (false)", "definition of policy"),
        ("CREATE RULE r AS ON DELETE TO pggit.commits DO INSTEAD NOTHING", "definition of rule"),
        ("ALTER TYPE pggit.branch_status ADD VALUE 'LOST'", "definition of type"),
        (
            "REVOKE EXECUTE ON FUNCTION pggit.generate_trinity_id FROM PUBLIC",
            "definition of function",
        ),
        ("ALTER FUNCTION pggit.generate_trinity_id() STABLE", "definition of function"),
        ("GRANT CREATE ON SCHEMA pggit TO pg_monitor", "definition of schema"),
        (
            "CREATE TRIGGER g BEFORE INSERT ON pggit.commits FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "definition of trigger",
        ),
    ],
)
def test_any_change_shows_where_it_is(conn, change, seen_in):
    conn.execute("SET session_replication_role = replica")
    before, whole = digest(conn), state(conn)
    conn.execute(change)
    assert seen_in in changed(conn, before)
    assert state(conn) != whole


def test_the_order_of_rows_on_disk_does_not_count(conn):
    conn.execute("SET session_replication_role = replica")
    conn.execute("""
        INSERT INTO pggit.commits (id, hash, branch_id, message, authored_at, committed_at)
        SELECT n, 'hash ' || n, 1, 'm', 'epoch', 'epoch' FROM generate_series(1, 50) AS n""")
    before = state(conn)
    conn.execute("UPDATE pggit.commits SET message = message WHERE id % 3 = 0")
    assert state(conn) == before


def test_the_settings_of_the_session_do_not_count(conn):
    conn.execute("SELECT pggit.commit_changes('main', 'm')")
    before = state(conn)
    for setting in (
        "TimeZone = 'Asia/Kathmandu'",
        "DateStyle = 'German'",
        "IntervalStyle = 'iso_8601'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "search_path = pggit",
        "quote_all_identifiers = on",
    ):
        conn.execute(f"SET {setting}")
        assert state(conn) == before, setting


def test_two_swapped_values_are_seen(conn):
    conn.execute("SET session_replication_role = replica")
    conn.execute("""
        INSERT INTO pggit.commits (id, hash, branch_id, message, authored_at, committed_at)
        VALUES (1, 'a', 1, 'x', 'epoch', 'epoch'), (2, 'b', 1, 'y', 'epoch', 'epoch')""")
    before = state(conn)
    conn.execute("UPDATE pggit.commits SET message = CASE message WHEN 'x' THEN 'y' ELSE 'x' END")
    assert state(conn) != before


def test_every_table_and_sequence_of_pggit_has_a_row(conn):
    missing = conn.execute("""
        SELECT c.oid::regclass FROM pg_class AS c
         WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind IN ('r', 'S', 'm')
           AND NOT EXISTS (SELECT FROM pggit_chaos.digest() AS d
                            WHERE d.relation = c.oid::regclass::text)""").fetchall()
    assert missing == []


def test_rows_that_a_policy_hides_raise_rather_than_vanish(conn):
    conn.execute("ALTER TABLE pggit.commits ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE ROLE chaos_reader")
    try:
        conn.execute("GRANT USAGE ON SCHEMA pggit TO chaos_reader")
        conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pggit TO chaos_reader")
        conn.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA pggit TO chaos_reader")
        conn.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO chaos_reader")
        conn.execute("SET ROLE chaos_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            state(conn)
    finally:
        conn.execute("RESET ROLE")
        conn.execute("DROP OWNED BY chaos_reader")
        conn.execute("DROP ROLE chaos_reader")


def test_a_database_without_pggit_says_so(conn):
    conn.execute("SET session_replication_role = replica")
    conn.execute("DROP SCHEMA pggit CASCADE; DROP SCHEMA IF EXISTS pggit_base CASCADE")
    with pytest.raises(psycopg.DatabaseError) as refusal:
        state(conn)
    assert refusal.value.sqlstate == "PC002"
