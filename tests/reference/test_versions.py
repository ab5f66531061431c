"""What increment_version, ensure_object, get_version, get_history and the hashes promise."""

from __future__ import annotations

import pytest

INCREMENT = "SELECT pggit.increment_version(%s, %s::pggit.change_type, %s::pggit.change_severity)"


@pytest.fixture
def table(conn, scalar):
    """The id of a table at version 2, which is 1.1.0."""
    conn.execute("CREATE TABLE t (id integer, name text)")
    return scalar("SELECT id FROM pggit.objects WHERE full_name = 'public.t'")


@pytest.mark.parametrize(
    ("severity", "version"), [("MAJOR", "2.0.0"), ("MINOR", "1.2.0"), ("PATCH", "1.1.1")]
)
def test_a_version_is_raised_by_its_severity(scalar, table, severity, version):
    assert scalar(INCREMENT, table, "ALTER", severity) == 3
    assert scalar("SELECT version_string FROM pggit.get_version('t')") == version


def test_a_version_and_its_history_row_come_together(conn, scalar, table):
    scalar(
        """SELECT pggit.increment_version(%s, 'COMMENT', 'PATCH', 'why', '{"k": 1}', 'SELECT 1')""",
        table,
    )
    assert conn.execute(
        """SELECT change_type::text, change_severity::text, old_version, new_version, new_metadata,
                  change_description, sql_executed, created_by, branch_id
             FROM pggit.history WHERE object_id = %s ORDER BY id DESC LIMIT 1""",
        (table,),
    ).fetchone() == ("COMMENT", "PATCH", 2, 3, {"k": 1}, "why", "SELECT 1", "postgres", 1)
    assert scalar("SELECT metadata FROM pggit.objects WHERE id = %s", table) == {"k": 1}


def test_metadata_that_is_left_out_stays(scalar, table):
    before = scalar("SELECT metadata FROM pggit.objects WHERE id = %s", table)
    scalar(INCREMENT, table, "ALTER", "MINOR")
    assert scalar("SELECT metadata FROM pggit.objects WHERE id = %s", table) == before


def test_what_makes_no_version_is_refused(conn, table, refuses):
    refuses("22023", INCREMENT, table, "DROP", "MAJOR")
    refuses("22004", INCREMENT, table, None, "MAJOR")
    refuses("22004", INCREMENT, table, "ALTER", None)
    refuses("22004", INCREMENT, None, "ALTER", "MAJOR")
    refuses("42704", INCREMENT, 12345, "ALTER", "MINOR")
    conn.execute("DROP TABLE t")
    refuses("55000", INCREMENT, table, "ALTER", "MINOR")


def test_the_semantic_version_that_follows(conn):
    following = "SELECT * FROM pggit.increment_version(1, 2, 3, %s::text)"
    for kind, expected in (
        ("major", (2, 0, 0, "2.0.0")),
        ("minor", (1, 3, 0, "1.3.0")),
        ("patch", (1, 2, 4, "1.2.4")),
        ("MAJOR", (2, 0, 0, "2.0.0")),
    ):
        assert conn.execute(following, (kind,)).fetchall() == [expected]


def test_no_semantic_version_follows_what_is_none(refuses):
    following = "SELECT * FROM pggit.increment_version(%s::int, %s::int, %s::int, %s::text)"
    refuses("22023", following, 1, 2, 3, "huge")
    refuses("22023", following, 1, 2, 3, "")
    refuses("22023", following, 1, 2, -3, "patch")
    refuses("22004", following, 1, None, 3, "patch")
    refuses("22004", following, 1, 2, 3, None)
    refuses("22003", following, 2147483647, 2, 3, "major")


def test_get_version_knows_public_objects_by_both_names(conn, table):
    for name in ("t", "public.t"):
        assert conn.execute(
            "SELECT object_name, schema_name, version, version_string FROM pggit.get_version(%s)",
            (name,),
        ).fetchall() == [("t", "public", 2, "1.1.0")]


def test_get_version_of_what_is_not_there_is_no_row(conn, table):
    for name in ("nothing", "", None, "t; DROP TABLE t", "other.t"):
        assert conn.execute("SELECT * FROM pggit.get_version(%s)", (name,)).fetchall() == []


def test_get_version_of_what_was_dropped_is_no_row_and_its_history_stays(conn, table):
    conn.execute("DROP TABLE t")
    assert conn.execute("SELECT * FROM pggit.get_version('t')").fetchall() == []
    assert conn.execute(
        "SELECT version, change_type::text FROM pggit.get_history('t')"
    ).fetchall() == [(None, "DROP"), (2, "CREATE")]


def test_history_is_newest_first_and_limited(conn, scalar, table):
    for _ in range(3):
        scalar(INCREMENT, table, "ALTER", "PATCH")
    assert conn.execute("SELECT version FROM pggit.get_history('t', 2)").fetchall() == [(5,), (4,)]


def test_ensure_object_answers_the_same_id_again(scalar, table):
    first = scalar("SELECT pggit.ensure_object('TABLE', 'public', 'x')")
    assert scalar("SELECT pggit.ensure_object('TABLE', 'public', 'x')") == first
    assert scalar("SELECT pggit.ensure_object('TABLE', 'public', 't')") == table
    assert scalar("SELECT version FROM pggit.objects WHERE id = %s", first) == 1
    assert scalar("SELECT count(*) FROM pggit.history WHERE object_id = %s", first) == 1


def test_ensure_object_tracks_again_what_was_dropped(conn, scalar, table, broken_promises):
    conn.execute("DROP TABLE t")
    assert scalar("SELECT pggit.ensure_object('TABLE', 'public', 't')") == table
    assert scalar("SELECT version FROM pggit.get_version('t')") == 3
    assert not broken_promises()


def test_ensure_object_puts_a_column_below_its_table(conn, scalar, table):
    new = scalar("SELECT pggit.ensure_object('COLUMN', 'public', 't.extra', 't')")
    assert scalar("SELECT parent_id FROM pggit.objects WHERE id = %s", new) == table


def test_ensure_object_refuses_what_is_no_object(table, refuses):
    for sqlstate, arguments in (
        ("22004", "NULL, 'public', 'x'"),
        ("22004", "'TABLE', NULL, 'x'"),
        ("22004", "'TABLE', 'public', NULL"),
        ("42602", "'TABLE', 'public', ''"),
        ("22023", "'COLUMN', 'public', 'x.c'"),
        ("22023", "'TABLE', 'public', 'x', 'public.t'"),
        ("42704", "'COLUMN', 'public', 'x.c', 'public.x'"),
    ):
        refuses(sqlstate, f"SELECT pggit.ensure_object({arguments})")


HASH = "SELECT pggit.compute_ddl_hash('TABLE', 'public', 't')"


def test_the_hash_changes_with_the_definition_and_comes_back_with_it(conn, scalar, table):
    first = scalar(HASH)
    conn.execute("ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0)")
    second = scalar(HASH)
    conn.execute("ALTER TABLE t DROP CONSTRAINT positive")
    assert scalar(HASH) == first != second


CHANGES = [
    "ALTER TABLE t ADD c integer",
    "ALTER TABLE t DROP name",
    "ALTER TABLE t RENAME name TO title",
    "ALTER TABLE t ALTER id TYPE bigint",
    "ALTER TABLE t ALTER id SET NOT NULL",
    "ALTER TABLE t ALTER id SET DEFAULT 7",
    "ALTER TABLE t ADD PRIMARY KEY (id)",
    "ALTER TABLE t ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES other",
]


def test_every_change_of_a_table_changes_its_hash(conn, scalar, table):
    conn.execute("CREATE TABLE other (id integer PRIMARY KEY)")
    before = scalar(HASH)
    for change in CHANGES:
        with conn.transaction(force_rollback=True):
            conn.execute(change)
            assert scalar(HASH) != before, change
    assert scalar(HASH) == before


SETTINGS = [
    "search_path = public, pg_catalog",
    "quote_all_identifiers = on",
    "DateStyle = 'SQL, DMY'",
    "TimeZone = 'Asia/Tokyo'",
    "IntervalStyle = 'iso_8601'",
    "extra_float_digits = -5",
]


def test_the_hash_is_the_same_in_every_session(conn, scalar):
    conn.execute("""
        CREATE TABLE t (id integer, at timestamptz DEFAULT '2020-01-31 00:00+00',
                        of float8 DEFAULT '0.30000000000000004',
                        every interval DEFAULT '1 day 2 hours')""")
    before = scalar(HASH)
    for setting in SETTINGS:
        with conn.transaction(force_rollback=True):
            conn.execute(f"SET LOCAL {setting}")
            assert scalar(HASH) == before, setting


def test_the_schema_hash_of_a_table_is_its_ddl_hash(scalar, table):
    for name in ("t", "public.t"):
        assert scalar("SELECT pggit.calculate_schema_hash(%s)", name) == scalar(HASH)


def test_the_schema_hash_of_what_is_not_there_is_null(scalar, table):
    for name in ("nothing", "nowhere.t", "a.b.c", None):
        assert scalar("SELECT pggit.calculate_schema_hash(%s)", name) is None
