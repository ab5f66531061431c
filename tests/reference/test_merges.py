"""What merge_branches and resolve_conflict promise: a three-way merge of what is recorded."""

from __future__ import annotations

import pytest

MERGE = "SELECT pggit.merge_branches(%s, %s, %s)"


@pytest.fixture
def on(conn):
    """Run statements with the session on a branch, and go back to main."""

    def run(branch, statements):
        conn.execute("SELECT pggit.switch_branch(%s)", (branch,))
        conn.execute(statements)
        conn.execute("SELECT pggit.switch_branch('main')")

    return run


@pytest.fixture
def change(conn):
    """Give a table's record on a branch new content, without touching the table."""

    def run(branch, content, table="t"):
        conn.execute(
            """SELECT pggit.increment_version(o.id, 'ALTER', 'MINOR', %s,
                                              o.metadata || jsonb_build_object('content', %s::text))
                 FROM pggit.objects AS o
                WHERE (o.full_name, o.branch_name) = (%s, %s)""",
            (content, content, f"public.{table}", branch),
        )

    return run


@pytest.fixture
def content(conn):
    """Return what a branch records of a table; None where it is dropped or unknown."""

    def value(branch, table="t"):
        row = conn.execute(
            """SELECT COALESCE(o.metadata ->> 'content', 'ground') FROM pggit.objects AS o
                WHERE (o.full_name, o.branch_name) = (%s, %s) AND o.is_active""",
            (f"public.{table}", branch),
        ).fetchone()
        return row and row[0]

    return value


@pytest.fixture
def feature(conn):
    """A table on main and a branch that has it, too."""
    conn.execute("""
        CREATE TABLE t (id integer);
        SELECT pggit.commit_changes('main', 'ground');
        SELECT pggit.create_branch('feature');
    """)


def merge(scalar, source="feature", target="main"):
    verdict, _, identity = scalar(MERGE, source, target, "a merge").partition(":")
    assert identity
    return verdict, identity


def test_a_merge_brings_what_changed(scalar, feature, change, content):
    change("feature", "new")
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") == "new"
    assert scalar("SELECT version FROM pggit.get_version('t')") == 3


def test_a_merge_keeps_what_only_the_target_changed(scalar, feature, change, content):
    change("main", "newer")
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") == "newer"
    assert content("feature") == "ground"


def test_a_merge_brings_what_was_added_with_columns_indexes_and_dependencies(
    conn, scalar, feature, on, broken_promises
):
    on("feature", "CREATE TABLE u (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM u")
    merge(scalar)
    assert conn.execute(
        """SELECT o.object_type::text, o.full_name, p.full_name
             FROM pggit.objects AS o LEFT JOIN pggit.objects AS p ON p.id = o.parent_id
            WHERE o.branch_name = 'main' ORDER BY o.id"""
    ).fetchall() == [
        ("TABLE", "public.t", None),
        ("COLUMN", "public.t.id", "public.t"),
        ("TABLE", "public.u", None),
        ("COLUMN", "public.u.id", "public.u"),
        ("INDEX", "public.u_pkey", "public.u"),
        ("VIEW", "public.v", None),
    ]
    assert scalar("SELECT count(*) FROM pggit.dependencies WHERE branch_id = 1") == 1
    assert not broken_promises()


def test_a_merge_brings_drops(conn, scalar, feature, on, content, broken_promises):
    on("feature", "DROP TABLE t")
    assert content("main") == "ground"
    merge(scalar)
    assert content("main") is None
    assert scalar("SELECT change_type::text FROM pggit.get_history('t', 1)") == "DROP"
    assert not broken_promises()


def test_a_merge_is_one_commit_on_the_target(conn, scalar, feature, change):
    head = scalar("SELECT head_commit_hash FROM pggit.branches WHERE name = 'main'")
    work = scalar("SELECT pggit.commit_changes('feature', 'work')")
    change("feature", "new")
    identity = merge(scalar)[1]
    assert conn.execute(
        """SELECT c.parent_commit_hash, c.message, c.metadata ->> 'merged_head', b.head_commit_hash
             FROM pggit.commits AS c JOIN pggit.branches AS b ON b.id = c.branch_id
            WHERE c.hash = %s AND b.name = 'main'""",
        (identity,),
    ).fetchone() == (head, "a merge", work, identity)
    assert scalar("SELECT commit_hash FROM pggit.history WHERE change_type = 'MERGE'") == identity


def test_a_merge_marks_the_source(conn, scalar, feature):
    merge(scalar)
    assert conn.execute(
        "SELECT status::text, merged_by, merged_at >= created_at FROM pggit.branches WHERE id > 1"
    ).fetchone() == ("MERGED", "postgres", True)


def test_main_goes_on_when_it_is_merged(conn, scalar, feature, change, content, broken_promises):
    change("main", "new")
    merge(scalar, "main", "feature")
    assert content("feature") == "new"
    assert conn.execute(
        "SELECT status::text, merged_at FROM pggit.branches WHERE name = 'main'"
    ).fetchone() == ("ACTIVE", None)
    assert not broken_promises()


def test_a_commit_makes_a_merged_branch_active(conn, scalar, feature, broken_promises):
    merge(scalar)
    scalar("SELECT pggit.commit_changes('feature', 'more')")
    assert scalar("SELECT status::text FROM pggit.branches WHERE name = 'feature'") == "ACTIVE"
    assert not broken_promises()


CONFLICTS = {
    "both_modified": ("main", "feature"),
    "deleted_in_source": ("main", None),
    "deleted_in_target": (None, "feature"),
}


@pytest.fixture(params=CONFLICTS)
def conflict(request, conn, feature, change, on):
    """The type of a conflict that the next merge of feature into main finds."""
    for branch, new in zip(("main", "feature"), CONFLICTS[request.param], strict=True):
        if new is not None:
            change(branch, new)
    for branch, new in zip(("main", "feature"), CONFLICTS[request.param], strict=True):
        if new is None:
            on(branch, "DROP TABLE t")
    return request.param


def test_a_conflict_is_recorded_and_nothing_moves(conn, scalar, conflict, content, broken_promises):
    sides = content("main"), content("feature")
    commits = scalar("SELECT count(*) FROM pggit.commits")
    verdict, identity = merge(scalar)
    assert verdict == "CONFLICTS_DETECTED"
    assert (content("main"), content("feature")) == sides
    assert scalar("SELECT count(*) FROM pggit.commits") == commits
    assert scalar("SELECT status::text FROM pggit.branches WHERE name = 'feature'") == "CONFLICTED"
    assert conn.execute(
        """SELECT merge_id, branch_a, branch_b, conflict_object, conflict_type, resolved_at
             FROM pggit.merge_conflicts"""
    ).fetchall() == [(identity, "feature", "main", "TABLE public.t", conflict, None)]
    assert not broken_promises()


@pytest.mark.parametrize("resolution", ["TAKE_SOURCE", "TAKE_TARGET"])
def test_a_resolved_conflict_lets_the_merge_pass(
    conn, scalar, conflict, content, resolution, broken_promises
):
    wanted = content("feature" if resolution == "TAKE_SOURCE" else "main")
    identity = merge(scalar)[1]
    number = scalar("SELECT id FROM pggit.merge_conflicts")
    assert scalar("SELECT pggit.resolve_conflict(%s, %s, %s)", identity, number, resolution)
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") == wanted
    assert not broken_promises()


def test_a_resolution_holds_only_for_what_was_resolved(scalar, feature, change):
    change("main", "one")
    change("feature", "two")
    identity = merge(scalar)[1]
    number = scalar("SELECT id FROM pggit.merge_conflicts")
    scalar("SELECT pggit.resolve_conflict(%s, %s, 'TAKE_SOURCE')", identity, number)
    change("main", "three")
    assert merge(scalar)[0] == "CONFLICTS_DETECTED"


def test_what_was_added_on_both_sides_is_a_conflict(conn, scalar, feature):
    for branch in ("main", "feature"):
        conn.execute("SELECT pggit.switch_branch(%s)", (branch,))
        conn.execute(
            """SELECT pggit.ensure_object('TABLE', 'public', 'u', NULL, %s::jsonb)""",
            (f'{{"content": "{branch}"}}',),
        )
    assert merge(scalar)[0] == "CONFLICTS_DETECTED"
    assert scalar("SELECT conflict_type FROM pggit.merge_conflicts") == "both_added"


def test_the_same_change_on_both_sides_is_none(scalar, feature, change):
    change("main", "same")
    change("feature", "same")
    assert merge(scalar)[0] == "MERGE_SUCCESS"


def test_the_base_of_a_merge_is_the_merge_before_it(scalar, feature, change, content):
    change("feature", "one")
    merge(scalar)
    change("feature", "two")
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") == "two"
    change("feature", "ground")
    change("main", "three")
    assert merge(scalar)[0] == "CONFLICTS_DETECTED"


def test_the_base_of_a_merge_is_the_merge_the_other_way(scalar, feature, change, content):
    change("main", "one")
    merge(scalar, "main", "feature")
    change("main", "two")
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") == "two"


def test_what_was_kept_in_a_merge_the_other_way_is_not_lost(scalar, feature, change, content):
    change("feature", "mine")
    merge(scalar, "main", "feature")
    change("main", "theirs")
    assert merge(scalar)[0] == "CONFLICTS_DETECTED"
    assert content("main") == "theirs"


def test_branches_of_one_parent_merge(conn, scalar, feature, change, content, broken_promises):
    conn.execute("SELECT pggit.create_branch('other')")
    change("feature", "new")
    assert merge(scalar, "feature", "other")[0] == "MERGE_SUCCESS"
    assert content("other") == "new"
    assert content("main") == "ground"
    assert not broken_promises()


def test_an_index_goes_where_its_table_goes(conn, scalar, feature, on, content, broken_promises):
    on("feature", "CREATE INDEX i ON t (id)")
    on("main", "DROP TABLE t")
    assert merge(scalar)[0] == "MERGE_SUCCESS"
    assert content("main") is None
    assert not broken_promises()


def test_what_breaks_a_rule_is_refused_and_nothing_is_done(conn, feature, refuses):
    conn.execute("SELECT pggit.create_branch('deleted')")
    conn.execute("SELECT pggit.delete_branch_simple('deleted')")
    refuses("42704", MERGE, "nowhere", "main", "m")
    refuses("42704", MERGE, "feature", "nowhere", "m")
    refuses("22023", MERGE, "feature", "feature", "m")
    refuses("55000", MERGE, "deleted", "main", "m")
    refuses("55000", MERGE, "feature", "deleted", "m")
    refuses("22004", MERGE, None, "main", "m")
    refuses("22004", MERGE, "feature", None, "m")
    refuses("22001", MERGE, "feature", "main", "x" * 10001)


def test_what_is_no_resolution_is_refused(scalar, feature, change, refuses):
    change("main", "one")
    change("feature", "two")
    identity = merge(scalar)[1]
    number = scalar("SELECT id FROM pggit.merge_conflicts")
    resolve = "SELECT pggit.resolve_conflict(%s, %s, %s)"
    refuses("42704", resolve, "nothing", number, "TAKE_SOURCE")
    refuses("42704", resolve, identity, number + 1, "TAKE_SOURCE")
    refuses("42704", resolve, None, number, "TAKE_SOURCE")
    refuses("22023", resolve, identity, number, "BOTH")
    refuses("22023", resolve, identity, number, None)
