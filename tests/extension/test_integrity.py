"""fsck answers a row for whatever is wrong, and no row only where it has looked."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from catalogue import restored

pytestmark = pytest.mark.ends_will_do

CHECKS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "sql/60_integrity/checks").glob("*.sql")
)

# Tables that a released pgGit has and the reference target has not; without keys, as after a dump
# that was restored in part.
MORE_TABLES = """
    CREATE TABLE pggit.merge_history (
        id uuid DEFAULT gen_random_uuid(), source_branch text, target_branch text,
        initiated_at timestamp, completed_at timestamp, status text, conflict_count integer);
    CREATE TABLE pggit.data_conflicts (
        conflict_id uuid DEFAULT gen_random_uuid(), table_name text, resolution text,
        resolved_at timestamp);
    CREATE TABLE pggit.temporal_snapshots (
        snapshot_id uuid DEFAULT gen_random_uuid(), snapshot_name text, branch_id integer,
        frozen boolean DEFAULT false);
    CREATE TABLE pggit.temporal_changelog (
        change_id serial, snapshot_id uuid, table_schema text, table_name text, operation text);
    CREATE TABLE pggit.backups (
        backup_id uuid DEFAULT gen_random_uuid(), backup_name text, commit_hash text,
        backup_size bigint, compressed_size bigint, status text, started_at timestamptz,
        completed_at timestamptz);
    CREATE TABLE pggit.backup_jobs (
        job_id uuid DEFAULT gen_random_uuid(), backup_id uuid, status text,
        started_at timestamptz, completed_at timestamptz);
    CREATE TABLE pggit.backup_verifications (
        verification_id uuid DEFAULT gen_random_uuid(), backup_id uuid);
    CREATE TABLE pggit.backup_dependencies (backup_id uuid, depends_on_backup_id uuid);
    CREATE TABLE pggit.migrations (
        id serial, version text, applied_at timestamp, applied_by text);
    INSERT INTO pggit.merge_history (source_branch, target_branch, initiated_at, completed_at,
                                     status, conflict_count)
    SELECT 'chaos/old', 'main', '2020-01-01', '2020-01-02', 'failed', 0;
    INSERT INTO pggit.data_conflicts (table_name, resolution, resolved_at)
    VALUES ('a table', 'source_wins', now()), ('a table', 'pending', NULL);
    INSERT INTO pggit.temporal_snapshots (snapshot_name, branch_id, frozen)
    VALUES ('with changes', 1, true), ('without', 1, false);
    INSERT INTO pggit.temporal_changelog (snapshot_id, table_schema, table_name, operation)
    SELECT s.snapshot_id, 'public', 'a table', 'UPDATE'
      FROM pggit.temporal_snapshots AS s WHERE s.frozen;
    INSERT INTO pggit.backups (backup_name, commit_hash, backup_size, status, started_at,
                               completed_at)
    SELECT 'a backup', min(c.hash), 1, 'completed', now(), now() FROM pggit.commits AS c;
    INSERT INTO pggit.backup_jobs (backup_id, status, started_at, completed_at)
    SELECT b.backup_id, 'completed', now(), now() FROM pggit.backups AS b;
    INSERT INTO pggit.backup_verifications (backup_id) SELECT b.backup_id FROM pggit.backups AS b;
    INSERT INTO pggit.backup_dependencies SELECT b.backup_id, b.backup_id FROM pggit.backups AS b;
    INSERT INTO pggit.migrations (version, applied_at, applied_by)
    VALUES ('1', now(), 'somebody'), ('2', NULL, NULL);
"""
MORE_DAMAGE = {
    "merge_source_unmarked": "UPDATE pggit.merge_history SET source_branch = 'copied',"
    " status = 'completed', completed_at = now() + interval '1 hour'",
    "merge_history_branch_missing": "UPDATE pggit.merge_history SET target_branch = 'gone'",
    "merge_conflict_miscounted": "UPDATE pggit.merge_history SET conflict_count = 7",
    "merge_completed_unresolved": """
        UPDATE pggit.merge_history SET status = 'completed', conflict_count = 1;
        INSERT INTO pggit.merge_conflicts (merge_id, branch_a, branch_b, conflict_object,
                                           conflict_type)
        SELECT m.id::text, 'main', 'copied', 'an object', 'both_modified'
          FROM pggit.merge_history AS m""",
    "merge_time_order": "UPDATE pggit.merge_history SET completed_at = '2019-12-31'",
    "data_conflict_pending": "UPDATE pggit.data_conflicts SET resolution = 'pending'",
    "snapshot_branch_missing": "UPDATE pggit.temporal_snapshots SET branch_id = -1",
    "snapshot_frozen_unchanged": "UPDATE pggit.temporal_snapshots SET frozen = NOT frozen",
    "changelog_snapshot_missing": "UPDATE pggit.temporal_changelog"
    " SET snapshot_id = gen_random_uuid()",
    "changelog_malformed": "UPDATE pggit.temporal_changelog SET operation = 'MERGE'",
    "backup_incomplete": "UPDATE pggit.backups SET commit_hash = 'gone'",
    "backup_implausible": "UPDATE pggit.backups SET completed_at = '2020-01-01'",
    "backup_job_incomplete": "UPDATE pggit.backup_jobs SET started_at = NULL, status = 'running'",
    "backup_job_orphaned": "UPDATE pggit.backup_jobs SET backup_id = gen_random_uuid()",
    "backup_verification_orphaned": "UPDATE pggit.backup_verifications"
    " SET backup_id = gen_random_uuid()",
    "backup_dependency_missing": "UPDATE pggit.backup_dependencies"
    " SET depends_on_backup_id = gen_random_uuid()",
    "migration_incomplete": "UPDATE pggit.migrations SET applied_by = NULL",
    "migration_version_duplicate": "UPDATE pggit.migrations SET version = '1'",
}

# What a check compares with has to be recorded before.
RECORDED = "SELECT pggit_chaos.record_digests();"

# What no kind of corruption does, and a few things that one does by other means.
DAMAGE = {
    "commit_gone": RECORDED + "DELETE FROM pggit.commits WHERE id = 1",
    "history_gone": RECORDED + "DELETE FROM pggit.history WHERE id = 1",
    "function_gone": RECORDED + "DROP FUNCTION pggit.checkout_branch(text)",
    "branch_name_duplicate": """
        ALTER TABLE pggit.branches DROP CONSTRAINT branches_name_key;
        INSERT INTO pggit.branches (id, name) VALUES (-1, 'main')""",
    "branch_name_malformed": """
        DO $$ BEGIN EXECUTE (SELECT string_agg(format(
            'ALTER TABLE pggit.branches DROP CONSTRAINT %I', c.conname), '; ')
              FROM pg_constraint AS c
             WHERE c.conrelid = 'pggit.branches'::regclass AND c.contype = 'c'); END $$;
        UPDATE pggit.branches SET name = name || ' ' WHERE name = 'copied'""",
    "commit_hash_duplicate": """
        ALTER TABLE pggit.commits DROP CONSTRAINT commits_hash_key;
        UPDATE pggit.commits SET hash = 'the same' WHERE id <= 2""",
    "object_identity_duplicate": """
        ALTER TABLE pggit.objects
            DROP CONSTRAINT objects_object_type_schema_name_object_name_branch_name_key;
        INSERT INTO pggit.objects (id, object_type, schema_name, object_name)
        VALUES (-1, 'TABLE', 'public', 'chaos_ground')""",
    "core_relation_missing": "ALTER TABLE pggit.objects DROP COLUMN full_name",
    "branch_main_missing": "UPDATE pggit.branches SET id = -1 WHERE name = 'main'",
    "branch_main_state": "UPDATE pggit.branches SET parent_branch_id = 2 WHERE name = 'main'",
    "branch_merge_incomplete": "UPDATE pggit.branches SET merged_at = now() WHERE name = 'copied'",
    "branch_head_missing": """
        UPDATE pggit.branches SET head_commit_hash = repeat('0', 64) WHERE name = 'copied'""",
    "commit_parent_cycle": """
        WITH chain AS (SELECT c.id, c.hash, lag(c.hash) OVER (ORDER BY c.id) AS parent,
                              last_value(c.hash) OVER () AS last
                         FROM pggit.commits AS c)
        UPDATE pggit.commits AS c SET parent_commit_hash = COALESCE(n.parent, n.last)
          FROM chain AS n WHERE n.id = c.id""",
    "object_branch_missing": "UPDATE pggit.objects SET branch_id = -1 WHERE id = 1",
    "object_version_mismatch": "UPDATE pggit.objects SET version = 99 WHERE id = 1",
    "history_commit_missing": "UPDATE pggit.history SET merge_base_hash = 'gone' WHERE id = 1",
    "history_version_step": "UPDATE pggit.history SET new_version = NULL WHERE id = 1",
    "history_drop_malformed": """
        UPDATE pggit.history SET new_version = 9 WHERE change_type = 'DROP'""",
    "history_field_missing": "UPDATE pggit.history SET created_at = NULL WHERE id = 1",
    "dependency_branch_missing": "UPDATE pggit.dependencies SET branch_id = -1",
    "dependency_cycle": """
        DELETE FROM pggit.dependencies;
        INSERT INTO pggit.dependencies (id, dependent_id, depends_on_id, dependency_type)
        SELECT -t.id, t.id, COALESCE(lag(t.id) OVER (ORDER BY t.id), last_value(t.id) OVER ()),
               CASE WHEN lag(t.id) OVER (ORDER BY t.id) IS NULL
                    THEN 'generic' ELSE 'foreign_key' END
          FROM pggit.objects AS t WHERE t.object_type = 'TABLE' AND t.branch_name = 'main'""",
    "data_branch_missing": "UPDATE pggit.data_branches SET branch_id = -1",
    "merge_conflict_branch_missing": "UPDATE pggit.merge_conflicts SET branch_a = 'gone'",
    "constraint_missing": "ALTER TABLE pggit.commits DROP CONSTRAINT commits_hash_key",
    "event_trigger_missing": "DROP EVENT TRIGGER pggit_drop_trigger",
    "event_trigger_disabled": "ALTER EVENT TRIGGER pggit_ddl_trigger ENABLE REPLICA",
    "event_trigger_altered": """
        DROP EVENT TRIGGER pggit_ddl_trigger;
        CREATE EVENT TRIGGER pggit_ddl_trigger ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
            EXECUTE FUNCTION pggit.handle_ddl_command()""",
    "index_invalid": "UPDATE pg_index SET indisready = false"
    " WHERE indexrelid = 'pggit.commits_hash_key'::regclass",
    "enum_label_missing": "ALTER TYPE pggit.object_type RENAME VALUE 'TAG' TO 'tag'",
    "trigger_disabled": "ALTER TABLE pggit.history DISABLE TRIGGER ALL",
    "sequence_behind": "ALTER SEQUENCE pggit.objects_id_seq RESTART WITH 2",
    "trinity_sequence_behind": "SELECT setval('pggit.trinity_id_seq', 1)",
    "function_missing": "DROP FUNCTION pggit.checkout_branch(text)",
    "function_shadowed": """
        CREATE FUNCTION public.get_version(text) RETURNS integer LANGUAGE sql RETURN 1""",
    "row_security_enabled": "ALTER TABLE pggit.history ENABLE ROW LEVEL SECURITY",
    "privilege_missing": "REVOKE INSERT ON pggit.commits FROM CURRENT_USER",
    "object_gone": """
        INSERT INTO pggit.objects (object_type, schema_name, object_name)
        VALUES ('TABLE', 'public', 'a phantom')""",
    "object_untracked": "CREATE TABLE public.unseen (id integer)",
    "trinity_malformed": "UPDATE pggit.commits SET hash = left(hash, -1) WHERE id = 1",
    "data_branch_view_missing": 'CREATE TABLE pggit_base."_pggit_main_a table" ()',
    "data_branch_route_missing": """
        CREATE TABLE pggit_base._pggit_main_routed ();
        CREATE VIEW public.routed AS SELECT FROM pggit_base._pggit_main_routed""",
    "branch_head_unset": "UPDATE pggit.branches SET head_commit_hash = NULL WHERE name = 'main'",
    "branch_head_unresolved": """
        UPDATE pggit.branches SET head_commit_hash = repeat('0', 64)""",
    "branch_sequence_unused": "ALTER SEQUENCE pggit.branches_id_seq RESTART",
    "commit_parent_unrecorded": """
        UPDATE pggit.commits SET parent_commit_hash = NULL
         WHERE hash = (SELECT head_commit_hash FROM pggit.branches WHERE name = 'main')""",
    "object_version_unrecorded": "UPDATE pggit.objects SET updated_at = now(), version = 9"
    " WHERE full_name = 'public.chaos_ground' AND branch_name = 'main'",
    "object_history_unrecorded": """
        DELETE FROM pggit.history WHERE object_id IN (
            SELECT id FROM pggit.objects
             WHERE full_name = 'public.chaos_ground' AND branch_name = 'main')""",
    "history_version_unrecorded": """
        INSERT INTO pggit.history (object_id, change_type, change_severity, old_version,
                                   new_version)
        SELECT o.id, 'ALTER', 'MINOR', v.version, v.version + 1
          FROM pggit.objects AS o, (VALUES (7), (9)) AS v(version)
         WHERE o.full_name = 'public.chaos_ground'
           AND (o.branch_name = 'copied' OR o.branch_name = 'main' AND v.version = 9);
        INSERT INTO pggit.history (object_id, change_type, change_severity, old_version,
                                   new_version)
        SELECT o.id, 'ALTER', 'MINOR', 8, 9
          FROM pggit.objects AS o
         WHERE o.full_name = 'public.chaos_ground' AND o.branch_name = 'copied'""",
    "history_version_repeated": """
        INSERT INTO pggit.history (object_id, change_type, change_severity, old_version,
                                   new_version, created_at)
        SELECT h.object_id, 'ALTER', 'MINOR', h.old_version, h.new_version, now()
          FROM pggit.history AS h WHERE h.id = 1""",
    "history_create_repeated": """
        INSERT INTO pggit.history (object_id, change_type, change_severity)
        SELECT h.object_id, 'CREATE', 'MINOR'
          FROM pggit.history AS h WHERE h.change_type = 'CREATE' ORDER BY h.id LIMIT 1""",
    "object_inactive_changed": """
        INSERT INTO pggit.history (object_id, change_type, change_severity)
        SELECT h.object_id, 'ALTER', 'MINOR'
          FROM pggit.history AS h WHERE h.change_type = 'DROP'""",
    "dependency_self": "UPDATE pggit.dependencies"
    " SET dependency_type = 'view', depends_on_id = dependent_id",
    "branched_table_branch_missing": "UPDATE pggit.branched_tables"
    " SET branch_name = branch_name || ' gone'",
    "table_inherited": "CREATE TABLE pggit.commits_copy () INHERITS (pggit.commits)",
    "trinity_time_mismatch": """
        UPDATE pggit.commits SET hash = '99999999999999999999-' || right(hash, 15) WHERE id = 1""",
    **{check: MORE_TABLES + damage for check, damage in MORE_DAMAGE.items()},
}


def fsck(conn, *arguments):
    placeholders = ", ".join(["%s"] * len(arguments))
    return conn.execute(
        f"SELECT check_id, severity, relation, row_identity, message, action, repairable"
        f"  FROM pggit_chaos.fsck({placeholders})",
        arguments,
    ).fetchall()


def spoke(conn):
    return {row[0] for row in fsck(conn)}


def refused(conn, statement):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(statement)
    return error.value


@pytest.fixture
def damaged(used):
    """A function that does damage under the replica role, where pgGit and its keys rest."""

    def damage(statements):
        used.execute("SET session_replication_role = replica")
        used.execute(statements)
        used.execute("RESET session_replication_role")
        return used

    return damage


def test_the_view_lists_one_check_a_file(conn):
    rows = conn.execute(
        "SELECT check_id, category, severity, summary FROM pggit_chaos.integrity_check"
    )
    assert sorted(row[0] for row in rows if all(row)) == CHECKS


def test_a_fresh_pggit_is_clean(conn):
    assert fsck(conn) == []


def test_a_used_pggit_is_clean(used):
    assert fsck(used) == []


@pytest.mark.one_version
def test_the_tables_of_released_pggits_are_clean(damaged):
    assert fsck(damaged(MORE_TABLES)) == []


def test_hooks_are_no_finding(used):
    used.execute("SELECT pggit_chaos.install_hooks()")
    used.execute("SELECT pggit_chaos.arm('pggit.commits.insert.before')")
    assert fsck(used) == []


@pytest.mark.parametrize("check", sorted(DAMAGE))
@pytest.mark.one_version
def test_a_check_finds_what_is_damaged_by_hand(damaged, check):
    conn = damaged(DAMAGE[check])
    assert check in spoke(conn)
    assert {row[0] for row in fsck(conn, [check])} == {check}


@pytest.mark.one_version
def test_no_check_exists_that_cannot_fail(used):
    detected = {
        check
        for (checks,) in used.execute("SELECT detected_by FROM pggit_chaos.drill_all()").fetchall()
        for check in checks
    }
    # What a drill does not reach with seed 0 is reached by hand.
    assert set(CHECKS) - detected - set(DAMAGE) == set()


def test_a_finding_names_the_row_and_the_way_out(damaged):
    conn = damaged("UPDATE pggit.commits SET parent_commit_hash = 'a \"gone\" one' WHERE id = 1")
    ((check, severity, relation, identity, message, action, repairable),) = fsck(conn)
    assert (check, severity, relation) == ("commit_parent_missing", "error", "pggit.commits")
    assert identity == "id=1"
    assert message.endswith('names parent "a "gone" one", which does not exist')
    assert action.startswith("Restore the missing commit")
    assert repairable is True


def test_fsck_runs_the_named_checks_alone(damaged):
    conn = damaged(
        "UPDATE pggit.commits SET parent_commit_hash = 'gone', message = NULL WHERE id = 1"
    )
    assert spoke(conn) == {"commit_parent_missing", "commit_field_missing"}
    assert {row[0] for row in fsck(conn, ["commit_field_missing"])} == {"commit_field_missing"}
    assert fsck(conn, ["commit_branch_missing", "commit_hash_empty"]) == []


def test_fsck_leaves_out_what_is_less_grave(damaged):
    conn = damaged(
        "UPDATE pggit.commits SET parent_commit_hash = 'gone',"
        " authored_at = committed_at + interval '1 minute' WHERE id = 1"
    )
    assert spoke(conn) == {"commit_parent_missing", "commit_time_order"}
    for severity, left in (("info", 2), ("warning", 2), ("error", 1)):
        assert len(fsck(conn, None, severity)) == left


def test_rows_of_child_tables_are_not_pggits_own(damaged):
    conn = damaged(
        "CREATE TABLE pggit.commits_copy () INHERITS (pggit.commits);"
        "INSERT INTO pggit.commits_copy (id, hash, branch_id) VALUES (-1, '', -1)"
    )
    assert spoke(conn) == {"table_inherited"}


def test_fsck_needs_no_opt_in_and_no_write(used):
    used.execute(f'ALTER DATABASE "{used.info.dbname}" RESET pggit_chaos.enabled')
    with used.transaction():
        used.execute("SET TRANSACTION READ ONLY")
        assert fsck(used) == []


def test_a_check_runs_as_it_stands_where_nothing_of_ours_is(used):
    checks = used.execute(
        "SELECT check_id, query, compares FROM pggit_chaos._integrity_check"
    ).fetchall()
    assert sorted(check for check, _, _ in checks) == CHECKS
    alone = [(check, query) for check, query, compares in checks if compares is None]
    used.execute("SET session_replication_role = replica")
    used.execute(MORE_TABLES)
    used.execute("DROP EXTENSION pggit_chaos")
    used.execute("SET default_transaction_read_only = on")
    found = {check: used.execute(query).fetchall() for check, query in alone}
    assert found == {check: [] for check, _ in alone}
    assert len(found) > 90


# -- silence is not soundness


@pytest.mark.parametrize(
    ("call", "sqlstate", "message"),
    [
        (
            "fsck('{commit_hash_emty}')",
            "42704",
            'integrity check "commit_hash_emty" does not exist',
        ),
        ("fsck('{NULL}')", "22004", 'argument "checks" must not be null'),
        ("fsck('{}')", "22023", "no check is named"),
        ("fsck(NULL, 'fatal')", "22023", 'severity "fatal" does not exist'),
        ("fsck(NULL, NULL)", "22004", 'argument "min_severity" must not be null'),
    ],
)
def test_misuse_says_what_is_wrong(conn, call, sqlstate, message):
    error = refused(conn, f"SELECT * FROM pggit_chaos.{call}")
    assert (error.sqlstate, error.diag.message_primary) == (sqlstate, message)


def test_an_unknown_check_is_told_which_are_near(conn):
    error = refused(conn, "SELECT * FROM pggit_chaos.fsck('{commit_hash_emty}')")
    assert '"commit_hash_empty"' in error.diag.message_detail
    listed = conn.execute(error.diag.message_hint).fetchall()
    assert "commit_hash_empty" in {row[0] for row in listed}


def test_a_named_check_that_does_not_apply_is_an_error(conn):
    conn.execute("DROP TABLE pggit.dependencies")
    assert "dependency_cycle" not in spoke(conn)
    assert conn.execute(
        "SELECT applies FROM pggit_chaos.integrity_check WHERE check_id = 'dependency_cycle'"
    ).fetchone() == (False,)
    error = refused(conn, "SELECT * FROM pggit_chaos.fsck('{dependency_cycle}')")
    assert error.sqlstate == "PC008"
    assert "pggit.dependencies.id" in error.diag.message_detail


def test_an_empty_schema_is_not_clean(conn):
    conn.execute("DROP EVENT TRIGGER pggit_ddl_trigger; DROP EVENT TRIGGER pggit_drop_trigger")
    conn.execute("DROP SCHEMA pggit CASCADE; CREATE SCHEMA pggit")
    missing = {row[3] for row in fsck(conn) if row[0] == "core_relation_missing"}
    assert missing == {
        f"relation=pggit.{table}" for table in ("branches", "commits", "objects", "history")
    }


def test_no_pggit_at_all_is_an_error(conn):
    conn.execute("DROP EVENT TRIGGER pggit_ddl_trigger; DROP EVENT TRIGGER pggit_drop_trigger")
    conn.execute("DROP SCHEMA pggit CASCADE")
    assert refused(conn, "SELECT * FROM pggit_chaos.fsck()").sqlstate == "PC002"


def test_what_a_check_may_not_read_is_an_error(used):
    with restored(used, "chaos_reader") as role:
        used.execute(f"""
            GRANT USAGE ON SCHEMA pggit_chaos, pggit TO {role};
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO {role};
            GRANT SELECT ON ALL TABLES IN SCHEMA pggit_chaos, pggit TO {role};
            GRANT SELECT ON ALL SEQUENCES IN SCHEMA pggit TO {role};
            SET ROLE {role}""")
        assert fsck(used) == []
        used.execute("RESET ROLE; ALTER TABLE pggit.history ENABLE ROW LEVEL SECURITY")
        used.execute(f"SET ROLE {role}")
        error = refused(used, "SELECT * FROM pggit_chaos.fsck()")
        assert (error.sqlstate, "row-level security" in str(error)) == ("42501", True)
        used.execute("RESET ROLE; ALTER TABLE pggit.history DISABLE ROW LEVEL SECURITY")
        used.execute(f"REVOKE SELECT ON pggit.history FROM {role}, PUBLIC; SET ROLE {role}")
        assert refused(used, "SELECT * FROM pggit_chaos.fsck()").sqlstate == "42501"


# -- what is allowed


@pytest.mark.one_version
@pytest.mark.parametrize(
    "ordinary",
    [
        "SELECT pggit.commit_changes('main', 'm', 'a name of my own')",
        "SELECT pggit.commit_changes('main', 'm', pggit.generate_trinity_id())",
        "SET timezone = 'Asia/Tokyo'; SELECT pggit.commit_changes('main', 'm');"
        "SET timezone = 'America/New_York'; SELECT pggit.commit_changes('main', 'm')",
        "CREATE TABLE m (i int PRIMARY KEY, n int);"
        "CREATE TABLE n (i int PRIMARY KEY REFERENCES m);"
        "ALTER TABLE m ADD FOREIGN KEY (n) REFERENCES n",
        "CREATE TABLE r (i int PRIMARY KEY REFERENCES r)",
        "BEGIN; CREATE TABLE a (i int); ALTER TABLE a ADD j int; ALTER TABLE a ADD k int;"
        "DROP TABLE a; CREATE TABLE a (i int); COMMIT; DROP TABLE a",
        "SAVEPOINT s; SELECT pggit.commit_changes('main', 'm'); CREATE TABLE a (); ROLLBACK TO s;"
        "SELECT pggit.commit_changes('main', 'n')",
        "SELECT pggit.merge_branches('main', 'copied', 'm')",
        "CREATE INDEX CONCURRENTLY ON chaos_ground (balance)",
        "DROP TABLE chaos_ground CASCADE; DROP TABLE chaos_ground_entry",
        "CREATE VIEW v AS SELECT 1 AS i; CREATE VIEW w AS SELECT i FROM v;"
        "CREATE OR REPLACE VIEW v AS SELECT 2 AS i",
    ],
)
def test_ordinary_work_is_no_finding(used, ordinary):
    if ordinary.startswith("SAVEPOINT"):
        with used.transaction():
            used.execute(ordinary)
    else:
        for statement in ordinary.split(";"):
            used.execute(statement)
    assert fsck(used) == []


# -- size


@pytest.mark.one_version
def test_no_check_walks_a_long_history_for_each_of_its_rows(used):
    used.execute("SET session_replication_role = replica")
    used.execute("""
        INSERT INTO pggit.commits (hash, branch_id, parent_commit_hash, message)
        SELECT 'long ' || i, 1, 'long ' || nullif(i - 1, 0), '' FROM generate_series(1, 20000) AS i;
        INSERT INTO pggit.objects (object_type, schema_name, object_name)
        SELECT 'TABLE', 'long', 'table ' || i FROM generate_series(1, 20000) AS i;
        INSERT INTO pggit.history (object_id, change_type, change_severity, old_version,
                                   new_version, sql_executed)
        SELECT (SELECT max(id) FROM pggit.objects) - i / 10, 'ALTER', 'MINOR', i % 10,
               i % 10 + 1, ''
          FROM generate_series(0, 19999) AS i;
        INSERT INTO pggit.dependencies (dependent_id, depends_on_id, dependency_type)
        SELECT o.id, o.id - d.distance, d.type
          FROM pggit.objects AS o, (VALUES (1, 'generic'), (2, 'foreign_key')) AS d(distance, type)
         WHERE o.schema_name = 'long' AND o.object_name NOT IN ('table 1', 'table 2');
        UPDATE pggit.commits SET parent_commit_hash = 'long 18000' WHERE hash = 'long 2000';
    """)
    # Twenty thousand rows times themselves are beyond that.
    used.execute("SET statement_timeout = '30s'")
    assert "commit_parent_cycle" in spoke(used)
