"""What corrupt() does is recorded, and heal() undoes exactly that."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import psycopg
import pytest

from catalogue import restored

pytestmark = pytest.mark.ends_will_do

KINDS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "sql/50_corruption/kinds").glob("*.sql")
)


def corrupt(conn, kind, seed=0):
    return conn.execute("SELECT pggit_chaos.corrupt(%s, %s)", [kind, seed]).fetchone()[0]


def heal(conn, corruption):
    return conn.execute("SELECT pggit_chaos.heal(%s)", [corruption]).fetchone()[0]


def heal_all(conn):
    return conn.execute("SELECT pggit_chaos.heal_all()").fetchone()[0]


def state(conn):
    return conn.execute("SELECT pggit_chaos.state_digest()").fetchone()[0]


def relations_and_functions(conn):
    """What is there outside of pgGit's own schemas, by name."""
    return conn.execute("""
        SELECT c.oid::regclass::text FROM pg_class AS c
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
         ORDER BY 1
    """).fetchall()


def images(conn, corruption):
    return conn.execute(
        "SELECT step, method, object, before, after FROM pggit_chaos._corruption_image"
        " WHERE corruption_id = %s ORDER BY step",
        [corruption],
    ).fetchall()


def refused(conn, statement, parameters=()):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(statement, parameters)
    return error.value


def corrupt_everything(conn, seed=0):
    """Corrupt in every way that finds a victim, and return the ids."""
    done = []
    for kind in KINDS:
        try:
            with conn.transaction():
                done.append(corrupt(conn, kind, seed))
        except psycopg.DatabaseError as error:
            assert error.sqlstate == "PC004", error  # noqa: PT017 only then is it no failure
    return done


def test_the_view_lists_one_kind_a_file(conn):
    rows = conn.execute("SELECT kind, category, summary FROM pggit_chaos.corruption_kind")
    assert sorted(row[0] for row in rows if row[1] and row[2]) == KINDS


def test_each_kind_is_detected_by_checks_that_exist(conn):
    unknown = conn.execute("""
        SELECT k.kind, d.check_id
          FROM pggit_chaos.corruption_kind AS k, unnest(k.detected_by) AS d(check_id)
         WHERE d.check_id NOT IN (SELECT c.check_id FROM pggit_chaos.integrity_check AS c)
    """).fetchall()
    assert unknown == []


@pytest.mark.one_version
@pytest.mark.parametrize("kind", KINDS)
def test_what_one_transaction_corrupted_another_heals(used, kind):
    before = state(used), relations_and_functions(used)
    corruption = corrupt(used, kind)
    assert (state(used), relations_and_functions(used)) != before
    assert heal(used, corruption) is True
    assert (state(used), relations_and_functions(used)) == before


def test_every_kind_at_once_is_healed_newest_first(used):
    before = state(used)
    done = corrupt_everything(used)
    assert len(done) > 50
    assert heal_all(used) == len(done)
    assert state(used) == before


@pytest.mark.one_version
@pytest.mark.parametrize("order", range(5))
def test_corruptions_that_do_not_overlap_are_healed_in_any_order(used, order):
    before = state(used)
    done, touched = [], set()
    for kind in random.Random(order).sample(KINDS, len(KINDS)):
        with used.transaction() as attempt:
            try:
                corruption = corrupt(used, kind)
            except psycopg.DatabaseError:
                raise psycopg.Rollback(attempt) from None
            objects = {
                (object_, image if method == "row" else None)
                for _, method, object_, *both in images(used, corruption)
                for image in both
                if image is not None
            }
            if objects & touched:
                raise psycopg.Rollback(attempt)
            touched |= objects
            done.append(corruption)
    assert len(done) > 15
    random.Random(order).shuffle(done)
    assert [heal(used, corruption) for corruption in done] == [True] * len(done)
    assert state(used) == before


@pytest.mark.one_version
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_corruption_of_a_kind_is_found_beside_the_first(used, kind):
    corrupt(used, kind)
    try:
        row = used.execute(
            "SELECT detected, unrelated, healed FROM pggit_chaos.drill(%s)", [kind]
        ).fetchone()
    except psycopg.DatabaseError as error:
        assert error.sqlstate == "PC004", error  # noqa: PT017 only then is it no failure
    else:
        assert row == (True, [], True)


@pytest.mark.one_version
def test_one_seed_chooses_one_set_of_victims(used):
    seen = []
    for _ in range(2):
        with used.transaction(force_rollback=True):
            done = corrupt_everything(used, 42)
            seen.append([images(used, corruption) for corruption in done])
    assert seen[0] == seen[1]


def test_other_seeds_choose_other_victims(used):
    victims = set()
    for seed in range(8):
        with used.transaction(force_rollback=True):
            victims.add(str(images(used, corrupt(used, "object_hash_garbled", seed))))
    assert len(victims) > 4


def test_a_corruption_is_undone_by_rollback_sequences_included(used):
    before = state(used)
    with used.transaction(force_rollback=True):
        for kind in ("commit_sequence_rewound", "trinity_sequence_rewound", "branch_main_deleted"):
            corrupt(used, kind)
        assert state(used) != before
    assert state(used) == before


def test_the_view_tells_what_was_done_and_whether_it_is_healed(used):
    corruption = corrupt(used, "commit_message_lost")
    query = "SELECT corruption_id, kind, state, relation, rows FROM pggit_chaos.corruption"
    row = (corruption, "commit_message_lost", "present", "pggit.commits", 1)
    assert used.execute(query).fetchall() == [row]
    heal(used, corruption)
    assert used.execute(query).fetchall() == [(*row[:2], "healed", *row[3:])]


def test_to_heal_twice_is_no_error(used):
    corruption = corrupt(used, "commit_message_lost")
    assert heal(used, corruption) is True
    assert heal(used, corruption) is False
    assert heal_all(used) == 0


def test_pggit_does_not_notice_a_corruption_of_its_definitions(used):
    recorded = "SELECT count(*) FROM pggit.objects"
    before = used.execute(recorded).fetchone()
    for kind in ("constraint_dropped", "event_trigger_redirected", "enum_label_renamed"):
        heal(used, corrupt(used, kind))
    assert used.execute(recorded).fetchone() == before


# -- refusals


def with_object(statement):
    """Run the statement that an expression makes of the image of the only corruption."""
    image = f"SELECT {statement} FROM pggit_chaos._corruption_image"
    return f"DO $do$ BEGIN EXECUTE ({image}); END $do$"


@pytest.mark.parametrize(
    ("call", "sqlstate", "message"),
    [
        ("corrupt(NULL)", "22004", 'argument "kind" must not be null'),
        ("corrupt('history_gap', NULL)", "22004", 'argument "seed" must not be null'),
        ("corrupt('no \"such')", "42704", 'corruption kind "no "such" does not exist'),
        ("corrupt('history_gap')", "PC004", 'there is nothing to corrupt by "history_gap"'),
        ("heal(NULL)", "22004", 'argument "corruption_id" must not be null'),
        ("heal(4711)", "42704", "corruption 4711 does not exist"),
    ],
)
def test_misuse_says_what_is_wrong_and_changes_nothing(conn, call, sqlstate, message):
    before = state(conn)
    error = refused(conn, f"SELECT pggit_chaos.{call}")
    assert (error.sqlstate, error.diag.message_primary) == (sqlstate, message)
    assert error.diag.message_hint is not None or sqlstate == "22004"
    assert state(conn) == before
    assert conn.execute("SELECT count(*) FROM pggit_chaos.corruption").fetchone() == (0,)


def test_an_unknown_kind_is_told_which_are_near(conn):
    error = refused(conn, "SELECT pggit_chaos.corrupt('commit_parent_dangeling')")
    assert '"commit_parent_dangling"' in error.diag.message_detail
    assert ("commit_parent_dangling",) in {
        row[:1] for row in conn.execute(error.diag.message_hint).fetchall()
    }


def test_a_kind_whose_ground_is_missing_does_not_apply(conn):
    conn.execute("DROP TABLE pggit.dependencies")
    assert conn.execute(
        "SELECT applies FROM pggit_chaos.corruption_kind WHERE kind = 'dependency_cycle'"
    ).fetchone() == (False,)
    error = refused(conn, "SELECT pggit_chaos.corrupt('dependency_cycle')")
    assert error.sqlstate == "PC008"
    assert "pggit.dependencies.id" in error.diag.message_detail
    assert ("commit_deleted",) in {
        row[:1] for row in conn.execute(error.diag.message_hint).fetchall()
    }


def test_without_pggit_there_is_nothing_that_applies(conn):
    conn.execute("DROP EVENT TRIGGER pggit_ddl_trigger; DROP EVENT TRIGGER pggit_drop_trigger")
    conn.execute("DROP SCHEMA pggit CASCADE; DROP SCHEMA IF EXISTS pggit_branches CASCADE")
    assert conn.execute("SELECT DISTINCT applies FROM pggit_chaos.corruption_kind").fetchall() == [
        (False,)
    ]
    assert refused(conn, "SELECT pggit_chaos.corrupt('commit_deleted')").sqlstate == "PC002"


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        (
            "commit_message_lost",
            "UPDATE pggit.commits SET message = 'new' WHERE message IS NULL",
            'row id=%s of "pggit.commits" was changed',
        ),
        (
            "commit_message_lost",
            "DELETE FROM pggit.commits WHERE message IS NULL",
            'row id=%s of "pggit.commits" was changed',
        ),
        (
            "commit_message_lost",
            "ALTER TABLE pggit.commits ADD COLUMN signature text",
            'the columns of "pggit.commits" were changed',
        ),
        (
            "history_duplicated",
            "DELETE FROM pggit.history WHERE id = %s",
            'row id=%s of "pggit.history" was changed',
        ),
        (
            "branch_main_deleted",
            "INSERT INTO pggit.branches (id, name) VALUES (%s, 'main')",
            'another row took the place of row id=%s of "pggit.branches"',
        ),
        (
            "trinity_sequence_rewound",
            "SELECT nextval('pggit.trinity_id_seq')",
            'sequence "pggit.trinity_id_seq" was used or set',
        ),
        (
            "event_trigger_disabled",
            "ALTER EVENT TRIGGER pggit_ddl_trigger ENABLE;"
            "ALTER EVENT TRIGGER pggit_drop_trigger ENABLE",
            "event trigger pggit_d%_trigger was changed",
        ),
        (
            "privilege_revoked",
            with_object("'GRANT DELETE ON ' || split_part(object, 'table ', 2) || ' TO PUBLIC'"),
            "privileges of table pggit._% was changed",
        ),
        (
            "rows_hidden",
            with_object("'DROP POLICY pggit_chaos_hides ON ' || split_part(object, 'table ', 2)"),
            "row security of table pggit._% was changed",
        ),
        (
            "function_shadowed",
            with_object(
                "'CREATE OR REPLACE ' || object"
                " || ' RETURNS void LANGUAGE sql AS $body$SELECT 1$body$'"
            ),
            "function public._% was changed",
        ),
        (
            "relation_unheard",
            with_object("'CREATE OR REPLACE ' || object || ' AS SELECT 2 AS one'"),
            "view public.unheard_% was changed",
        ),
        ("function_renamed", with_object("undo"), "function pggit._% was changed"),
        ("branched_table_renamed", with_object("undo"), "table pggit_base._% was changed"),
        ("constraint_dropped", with_object("undo"), "constraint _% of table pggit._% was changed"),
        ("index_invalidated", with_object("undo"), "index pggit._% was changed"),
        (
            "enum_label_renamed",
            "ALTER TYPE pggit.merge_resolution ADD VALUE 'SOMETHING'",
            "type pggit.merge_resolution was changed",
        ),
        (
            "commit_time_reversed",
            "DROP TABLE pggit.commits CASCADE",
            'table "pggit.commits" does not exist any more',
        ),
    ],
)
def test_what_was_changed_since_is_not_overwritten(used, kind, change, named):
    corruption = corrupt(used, kind)
    key = used.execute(
        "SELECT substring(COALESCE(i.after, i.before) FROM '^\\((-?[0-9]+),')"
        "  FROM pggit_chaos._corruption_image AS i WHERE i.corruption_id = %s",
        [corruption],
    ).fetchone()[0]
    used.execute("SET session_replication_role = replica")
    used.execute(change.replace("%s", str(key)))
    used.execute("RESET session_replication_role")
    before = state(used)
    error = refused(used, "SELECT pggit_chaos.heal(%s)", [corruption])
    assert error.sqlstate == "PC005"
    message = error.diag.message_primary
    pattern = f"corruption {corruption} cannot be healed: {named.replace('%s', str(key))}"
    assert used.execute("SELECT %s LIKE %s", [message, pattern]).fetchone() == (True,), message
    assert state(used) == before
    assert used.execute("SELECT state FROM pggit_chaos.corruption").fetchall() == [("present",)]
    used.execute(error.diag.message_hint.partition(": ")[2])
    assert heal_all(used) == 0


def test_an_older_corruption_of_the_same_row_is_healed_below_the_newer(used):
    before = state(used)
    older = corrupt(used, "branch_main_retired")
    newer = corrupt(used, "branch_main_renamed")
    assert heal(used, older) is True
    assert used.execute(
        "SELECT status::text FROM pggit.branches WHERE name ~ '^main-' AND id = 1"
    ).fetchone() == ("ACTIVE",)
    assert heal(used, newer) is True
    assert state(used) == before


def test_a_row_that_a_newer_corruption_deleted_comes_back_as_it_was_at_first(used):
    before = state(used)
    older = corrupt(used, "branch_main_retired")
    newer = corrupt(used, "branch_main_deleted")
    assert heal(used, older) is True
    assert heal(used, newer) is True
    assert state(used) == before


def test_a_change_between_two_corruptions_stands_in_the_way_of_the_older_one_alone(used):
    older = corrupt(used, "branch_main_retired")
    used.execute("UPDATE pggit.branches SET description = 'changed' WHERE name = 'main'")
    before = state(used)
    newer = corrupt(used, "branch_main_renamed")
    error = refused(used, "SELECT pggit_chaos.heal(%s)", [older])
    assert error.sqlstate == "PC005"
    assert heal(used, newer) is True
    assert state(used) == before


def test_a_corruption_of_several_rows_is_healed_whole_or_not_at_all(used):
    corruption = corrupt(used, "commit_parent_cycle")
    used.execute(
        "UPDATE pggit.commits SET message = 'new' WHERE id = (SELECT min(c.id)"
        "  FROM pggit.commits AS c JOIN pggit.commits AS p ON p.hash = c.parent_commit_hash"
        " WHERE p.parent_commit_hash = c.hash)"
    )
    before = state(used)
    assert refused(used, "SELECT pggit_chaos.heal(%s)", [corruption]).sqlstate == "PC005"
    assert state(used) == before


# -- who may


def test_who_may_not_set_the_replica_role_is_told_what_it_takes(used):
    with restored(used, "chaos_nobody") as role:
        used.execute(f"GRANT USAGE ON SCHEMA pggit_chaos, pggit TO {role}")
        used.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role}")
        used.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA pggit_chaos, pggit TO {role}")
        used.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA pggit_chaos, pggit TO {role}")
        used.execute(f"SET ROLE {role}")
        error = refused(used, "SELECT pggit_chaos.corrupt('commit_message_lost')")
        assert error.sqlstate == "42501"
        used.execute("RESET ROLE")
        used.execute(error.diag.message_hint.partition(": ")[2])
        before = state(used)
        used.execute(f"SET ROLE {role}")
        assert heal(used, corrupt(used, "commit_message_lost")) is True
        # The catalogue is not for everybody, and nothing is left half done.
        assert refused(used, "SELECT pggit_chaos.corrupt('index_invalidated')").sqlstate == "42501"
        used.execute("RESET ROLE")
        assert state(used) == before


def test_a_row_that_a_policy_hides_is_an_error_and_not_overlooked(used):
    with restored(used, "chaos_hidden") as role:
        used.execute(f"""
            GRANT SET ON PARAMETER session_replication_role TO {role};
            GRANT USAGE ON SCHEMA pggit_chaos, pggit TO {role};
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role};
            GRANT ALL ON ALL TABLES IN SCHEMA pggit_chaos, pggit TO {role};
            GRANT ALL ON ALL SEQUENCES IN SCHEMA pggit_chaos, pggit TO {role};
            ALTER TABLE pggit.commits ENABLE ROW LEVEL SECURITY;
            SET ROLE {role};
        """)
        error = refused(used, "SELECT pggit_chaos.corrupt('commit_message_lost')")
        assert error.sqlstate == "42501"
        assert "row-level security" in error.diag.message_primary


@pytest.mark.one_version
def test_of_two_sessions_that_heal_at_once_one_does_it(used, cluster):
    corruption = corrupt(used, "branch_main_renamed")
    with cluster.connect(used.info.dbname) as other:
        assert heal(other, corruption) is True
        answer = []
        waiter = threading.Thread(target=lambda: answer.append(heal(used, corruption)))
        waiter.start()
        with cluster.connect(used.info.dbname, autocommit=True) as watcher:
            while not watcher.execute(
                "SELECT pg_blocking_pids(%s) <> '{}'", [used.info.backend_pid]
            ).fetchone()[0]:
                pass
        other.commit()
        waiter.join()
    assert answer == [False]


@pytest.mark.one_version
def test_a_row_is_put_back_value_for_value_whatever_the_sessions_settings(used):
    used.execute(r"""
        SET session_replication_role = replica;
        ALTER TABLE pggit.branches
            ADD COLUMN "an ""odd"" name" text DEFAULT E'tab\t"quote" \\ \n (,)',
            ADD COLUMN bytes bytea DEFAULT '\x00ff', ADD COLUMN real real DEFAULT 0.1,
            ADD COLUMN moment timestamptz DEFAULT '2024-02-29 23:59:59.123456+05:30',
            ADD COLUMN span interval DEFAULT '1 mon -2 days 03:04:05.6',
            ADD COLUMN document json DEFAULT '{"b":1,  "a":1, "a":2}',
            ADD COLUMN list text[] DEFAULT '{NULL,"NULL",""}', ADD COLUMN empty text DEFAULT '',
            ADD COLUMN twice integer GENERATED ALWAYS AS (id * 2) STORED,
            ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY,
            DROP COLUMN description;
        RESET session_replication_role;
    """)
    before = state(used)
    settings = (
        "SET datestyle = 'SQL, DMY'; SET intervalstyle = iso_8601; SET timezone = 'Asia/Kolkata';"
    )
    for kind in ("branch_main_renamed", "branch_main_deleted"):
        corruption = corrupt(used, kind)
        used.execute(settings + "SET extra_float_digits = -5; SET bytea_output = escape")
        assert heal(used, corruption) is True
        used.execute("RESET ALL")
        assert state(used) == before
