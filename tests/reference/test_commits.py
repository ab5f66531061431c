"""What commit_changes promises."""

from __future__ import annotations

import re

TRINITY = re.compile(r"\d{20}-\d{6,}-[0-9a-f]{8}")
COMMIT = "SELECT pggit.commit_changes(%s, %s)"


def commits(conn, branch="main"):
    return conn.execute(
        """SELECT c.hash, c.parent_commit_hash, c.message FROM pggit.commits AS c
             JOIN pggit.branches AS b ON b.id = c.branch_id WHERE b.name = %s ORDER BY c.id""",
        (branch,),
    ).fetchall()


def test_a_commit_answers_its_trinity_id(scalar):
    assert TRINITY.fullmatch(scalar(COMMIT, "main", "first"))


def test_each_commit_has_the_former_head_as_its_parent(conn, scalar):
    hashes = [scalar(COMMIT, "main", text) for text in ("first", "second", "third")]
    assert [row[:2] for row in commits(conn)] == list(
        zip(hashes, [None, *hashes[:-1]], strict=True)
    )


def test_a_commit_moves_the_head(scalar):
    new = scalar(COMMIT, "main", "first")
    assert scalar("SELECT head_commit_hash FROM pggit.branches WHERE name = 'main'") == new


MESSAGES = [
    "",
    " ",
    "  padded  ",
    "\n\t",
    "'; DROP SCHEMA pggit --",
    "%s %I \\ $1",
    "é日本🎉",
    "x" * 10000,
]


def test_a_message_is_kept_exactly(conn, scalar):
    for message in MESSAGES:
        scalar(COMMIT, "main", message)
    assert [row[2] for row in commits(conn)] == MESSAGES


def test_a_message_that_is_left_out_or_null_is_empty(conn):
    conn.execute("SELECT pggit.commit_changes('main')")
    conn.execute(COMMIT, ("main", None))
    assert [row[2] for row in commits(conn)] == ["", ""]


def test_a_commit_to_an_unknown_branch_makes_it_from_main(conn, scalar):
    conn.execute("CREATE TABLE t (id integer)")
    head = scalar(COMMIT, "main", "first")
    new = scalar(COMMIT, "feature/x", "second")
    assert commits(conn, "feature/x") == [(new, head, "second")]
    assert scalar("SELECT parent_branch_id FROM pggit.branches WHERE name = 'feature/x'") == 1
    assert scalar("SELECT count(*) FROM pggit.objects WHERE branch_name = 'feature/x'") == 2


def test_a_commit_leaves_other_branches_alone(conn, scalar):
    head = scalar(COMMIT, "main", "first")
    scalar(COMMIT, "feature", "second")
    assert scalar("SELECT head_commit_hash FROM pggit.branches WHERE name = 'main'") == head


def test_a_commit_takes_up_the_changes_of_its_branch_since_the_last(conn, scalar):
    conn.execute("CREATE TABLE a (id integer)")
    first = scalar(COMMIT, "main", "first")
    conn.execute("CREATE TABLE b (id integer)")
    conn.execute("ALTER TABLE b ADD c integer")
    second = scalar(COMMIT, "main", "second")
    assert conn.execute("SELECT commit_hash FROM pggit.history ORDER BY id").fetchall() == [
        (first,),
        (second,),
        (second,),
    ]
    assert conn.execute(
        "SELECT total_objects, modified_objects FROM pggit.branches"
    ).fetchall() == [(2, 1)]


def test_the_tree_hash_is_that_of_the_schema(conn, scalar):
    def tree():
        scalar(COMMIT, "main", "")
        return scalar("SELECT tree_hash FROM pggit.commits ORDER BY id DESC LIMIT 1")

    empty = tree()
    conn.execute("CREATE TABLE t (id integer)")
    full = tree()
    conn.execute("DROP TABLE t")
    assert tree() == empty != full


def test_an_own_id_is_the_hash_of_the_commit(conn, scalar):
    assert scalar("SELECT pggit.commit_changes('main', 'm', 'my own commit')") == "my own commit"
    assert commits(conn)[0][0] == "my own commit"


def test_a_trinity_id_that_was_issued_before_can_be_used(conn, scalar, broken_promises):
    issued = scalar("SELECT pggit.generate_trinity_id()")
    assert scalar("SELECT pggit.commit_changes('main', 'm', %s)", issued) == issued
    assert not broken_promises()


def test_what_breaks_a_rule_is_refused_and_nothing_is_done(refuses):
    commit = "SELECT pggit.commit_changes(%s, %s, %s)"
    refuses("22004", commit, None, "m", None)
    refuses("42602", commit, "", "m", None)
    refuses("42602", commit, "two words", "m", None)
    refuses("42602", commit, "line\n", "m", None)
    refuses("22001", commit, "main", "x" * 10001, None)
    refuses("22023", commit, "main", "m", "short")
    refuses("22023", commit, "main", "m", "")


def test_an_id_that_was_never_issued_is_refused(scalar, refuses):
    issued = scalar("SELECT pggit.generate_trinity_id()")
    time, number, _ = issued.split("-")
    for forged in (
        "20200101000000000000-000001-deadbeef",
        "99999999999999999999-000001-deadbeef",
        f"{time}-000002{issued[-9:]}",
        f"{time}-{number}-{'0' * 8}",
    ):
        refuses("22023", "SELECT pggit.commit_changes('main', 'm', %s)", forged)


def test_an_id_is_given_once(scalar, refuses):
    scalar("SELECT pggit.commit_changes('main', 'm', 'my own commit')")
    error = refuses("23505", "SELECT pggit.commit_changes('new', 'm', 'my own commit')")
    assert error.diag.constraint_name == "commits_hash_key"


def test_a_commit_that_is_rolled_back_leaves_nothing_but_a_number(conn, scalar):
    with conn.transaction(force_rollback=True):
        scalar(COMMIT, "feature", "m")
    assert scalar("SELECT count(*) FROM pggit.commits") == 0
    assert scalar("SELECT count(*) FROM pggit.branches") == 1
    first, second = (scalar("SELECT pggit.generate_trinity_id()") for _ in range(2))
    assert int(first.split("-")[1]) + 1 == int(second.split("-")[1])


def test_ids_are_of_the_time_of_the_transaction(conn, scalar):
    with conn.transaction():
        first, second = (scalar("SELECT pggit.generate_trinity_id()") for _ in range(2))
        now = scalar("SELECT to_char(LOCALTIMESTAMP, 'YYYYMMDDHH24MISSUS')")
    assert first.split("-")[0] == second.split("-")[0] == now
    assert first != second


def test_numbers_go_on_beyond_six_digits(conn, scalar):
    conn.execute("SELECT setval('pggit.trinity_id_seq', 999999)")
    new = scalar(COMMIT, "main", "m")
    assert new.split("-")[1] == "1000000"
    assert TRINITY.fullmatch(new)
