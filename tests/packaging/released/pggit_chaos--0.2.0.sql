\echo Use "CREATE EXTENSION pggit_chaos" to load this file. \quit
--
-- pgGit versions every DDL statement of its database.  Its event triggers rest
-- under the replica role, and so this script's objects do not become part of
-- pgGit's history.
--
SET LOCAL session_replication_role = replica;
SET LOCAL search_path = pg_catalog, pg_temp;

-- A body may name what a later file creates.
SET LOCAL check_function_bodies = off;
--
-- What can be corrupted (one row a file in sql/50_corruption/kinds/), and what
-- was: each changed row, sequence or object with its image before and after.
--
CREATE TABLE @extschema@._corruption_kind (
    kind        text   PRIMARY KEY CHECK (kind ~ '^[a-z][a-z0-9_]*$'),
    category    text   NOT NULL CHECK (category ~ '^[a-z][a-z0-9_]*$'),
    summary     text   NOT NULL,
    detected_by text[] NOT NULL CHECK (cardinality(detected_by) >= 1),
    requires    text[] NOT NULL,
    method      text   NOT NULL
        CHECK (method IN ('update', 'delete', 'insert', 'sequence', 'statement')),
    relation    text,
    query       text   NOT NULL,
    CHECK ((relation IS NOT NULL) = (method IN ('update', 'delete', 'insert')))
);
COMMENT ON TABLE @extschema@._corruption_kind IS
    'The kinds of corruption, each defined by one file under sql/50_corruption/kinds/.';
COMMENT ON COLUMN @extschema@._corruption_kind.requires IS
    'What this pgGit must have: schema.table or schema.table.column, one an element.';
COMMENT ON COLUMN @extschema@._corruption_kind.query IS
    'Chooses the victims and the damage from the seed ($1); its columns depend on the method.';

CREATE TABLE @extschema@._corruption (
    corruption_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text        NOT NULL,
    seed          bigint      NOT NULL,
    done_at       timestamptz NOT NULL,
    done_by       name        NOT NULL,
    healed_at     timestamptz
);
COMMENT ON TABLE @extschema@._corruption IS 'One row a corruption that was done.';
COMMENT ON SEQUENCE @extschema@._corruption_corruption_id_seq IS 'Numbers the corruptions.';

CREATE TABLE @extschema@._corruption_image (
    corruption_id bigint  NOT NULL REFERENCES @extschema@._corruption ON DELETE CASCADE,
    step          integer NOT NULL,
    method        text    NOT NULL CHECK (method IN ('row', 'sequence', 'statement')),
    object        text    NOT NULL,
    before        text,
    after         text,
    shape         text,
    undo          text,
    probe         text,
    PRIMARY KEY (corruption_id, step),
    CHECK ((shape IS NOT NULL) = (method = 'row')),
    CHECK ((undo IS NOT NULL) = (method = 'statement')),
    CHECK ((probe IS NOT NULL) = (method = 'statement'))
);
COMMENT ON TABLE @extschema@._corruption_image IS
    'Before and after image of each row, sequence or object that a corruption touched.';
COMMENT ON COLUMN @extschema@._corruption_image.before IS
    'The row, sequence or object as it was, as text; NULL where there was no such row.';
COMMENT ON COLUMN @extschema@._corruption_image.after IS
    'The row, sequence or object as the corruption left it; NULL where it left no row.';
COMMENT ON COLUMN @extschema@._corruption_image.shape IS
    'Columns of the table when the images were taken, without which they cannot be read.';
COMMENT ON COLUMN @extschema@._corruption_image.undo IS
    'The statements that undo the damage, computed from the catalogue before it was done.';
COMMENT ON COLUMN @extschema@._corruption_image.probe IS
    'The query that reads the state of the object, as it stands in before and after.';
--
-- Faults that are armed.  Counters live in sequences (see fault_counters.sql):
-- a counter in a row would be lost on rollback, and would block or fail the
-- sessions that the fault is only meant to watch.
--
CREATE TABLE @extschema@._fault (
    fault_id      bigint      PRIMARY KEY,
    slot          integer     NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 63),
    failpoint     text        NOT NULL,
    pattern       text        NOT NULL,
    term          text        NOT NULL,
    program       jsonb       NOT NULL,
    scope         text        NOT NULL,
    pid           integer,
    backend_start timestamptz,
    database      oid         NOT NULL,
    incarnation   timestamptz NOT NULL,
    start_hit     bigint      NOT NULL CHECK (start_hit >= 1),
    end_hit       bigint      CHECK (end_hit >= start_hit),
    seed          bigint      NOT NULL,
    armed_at      timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    armed_by      name        NOT NULL
);
COMMENT ON TABLE @extschema@._fault IS
    'One row a fault that is armed; its counters are the sequences of its slot.';

CREATE SEQUENCE @extschema@._fault_id AS integer;
COMMENT ON SEQUENCE @extschema@._fault_id IS 'Numbers the faults.';
COMMENT ON COLUMN @extschema@._fault.pid IS
    'The session of scope session or pid:N, with the time of its start; else NULL.';
COMMENT ON COLUMN @extschema@._fault.database IS
    'Where it was armed: no fault strikes in a copy of the database.';
COMMENT ON COLUMN @extschema@._fault.incarnation IS
    'Of the server at the time of arming: no fault outlives a crash or a restart.';
COMMENT ON COLUMN @extschema@._fault.pattern IS 'The failpoint as a pattern for LIKE.';
COMMENT ON COLUMN @extschema@._fault.program IS 'The term, parsed: one element a step.';
--
-- Three sequences a slot, 64 slots: hits and fired count; released is where wake()
-- and disarm() say what they did (see released.sql).  nextval() survives rollback,
-- blocks nobody and is seen by every snapshot.  They are made here, once, because
-- making a sequence while arming would be DDL in the caller's transaction.
--
DO $do$
DECLARE
    v_slot    integer;
    v_counter text;
BEGIN
    FOR v_slot IN 0 .. 63 LOOP
        FOREACH v_counter IN ARRAY ARRAY['hits', 'fired', 'released'] LOOP
            EXECUTE pg_catalog.format('CREATE SEQUENCE @extschema@.%I MINVALUE 0 START 1',
                                      '_slot_' || v_slot || '_' || v_counter);
            EXECUTE pg_catalog.format('COMMENT ON SEQUENCE @extschema@.%I IS %L',
                                      '_slot_' || v_slot || '_' || v_counter,
                                      CASE v_counter
                                          WHEN 'released' THEN 'Says who was woken and disarmed'
                                          ELSE 'Counts the ' || v_counter
                                      END || ' of the fault in slot ' || v_slot || '.');
        END LOOP;
    END LOOP;
END;
$do$;
--
-- Where hooks were asked for, and what could not be hooked.  The hooks
-- themselves are not listed anywhere: a hooked body says so in its text, and
-- holds the original, so that nothing can be restored over a newer function.
--
CREATE TABLE @extschema@._hooked_schema (
    schema_name name PRIMARY KEY
);
COMMENT ON TABLE @extschema@._hooked_schema IS
    'The schemas that install_hooks() was last asked to hook.';

CREATE TABLE @extschema@._skipped_hook (
    object text PRIMARY KEY,
    kind   text NOT NULL,
    reason text NOT NULL
);
COMMENT ON TABLE @extschema@._skipped_hook IS
    'What install_hooks() found and could not hook.';
--
-- The checks (one row a file in sql/60_integrity/checks/).  A query, not a
-- function: it can be read as it is, run on its own, and sent over a read-only
-- connection to a database that has nothing of ours.
--
CREATE TABLE @extschema@._integrity_check (
    check_id text   PRIMARY KEY CHECK (check_id ~ '^[a-z][a-z0-9_]*$'),
    category text   NOT NULL,
    severity text   NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    relation text   NOT NULL,
    summary  text   NOT NULL,
    requires text[] NOT NULL,
    action   text   NOT NULL,
    query    text   NOT NULL
);
COMMENT ON TABLE @extschema@._integrity_check IS
    'The integrity checks, each defined by one file under sql/60_integrity/checks/.';
COMMENT ON COLUMN @extschema@._integrity_check.requires IS
    'What this pgGit must have: schema.table or schema.table.column, one an element.';
COMMENT ON COLUMN @extschema@._integrity_check.query IS
    'Returns one row a finding: row_identity text, message text.';
--
-- Faults of more than one session
--
-- A session inside a REPEATABLE READ transaction sees no row that was committed
-- since, and so a table cannot tell it of a fault.  The one thing that every
-- session sees as it is now is the catalogue: functions are looked up afresh,
-- whatever the snapshot.  So the faults that are armed for other sessions are the
-- bodies of functions, which arm() and disarm() replace.  While nothing is armed
-- both _armed_for_others() are the constant false, inlined into the hit path,
-- where it costs nothing.
--
CREATE FUNCTION @extschema@._armed_for_others()
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
COMMENT ON FUNCTION @extschema@._armed_for_others() IS
    'Answers whether a fault is armed for more than the session that armed it; arm() replaces it.';

CREATE FUNCTION @extschema@._armed_for_others(failpoint text)
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
COMMENT ON FUNCTION @extschema@._armed_for_others(text) IS
    'Answers whether such a fault is armed at a failpoint for this session; arm() replaces it.';

CREATE FUNCTION @extschema@._shared_faults()
RETURNS jsonb
LANGUAGE sql
STABLE
RETURN '[]'::jsonb;
COMMENT ON FUNCTION @extschema@._shared_faults() IS
    'Holds the faults that are armed for other sessions, as rows of _fault; arm() replaces it.';
--
-- is_enabled()
--
-- Answers whether the owner of this database opted in.  Reads the catalogue and
-- not the setting: a session's own SET does not count, and a database made with
-- CREATE DATABASE ... TEMPLATE starts out disabled.  Writes: nothing.
--
CREATE FUNCTION @extschema@.is_enabled()
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(bool_or(lower(substr(o.setting, length('pggit_chaos.enabled=') + 1))
                            IN ('on', 'true', 'yes', '1')), false)
      FROM pg_catalog.pg_db_role_setting AS s
      JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
     CROSS JOIN LATERAL unnest(s.setconfig) AS o(setting)
     WHERE d.datname = current_database()
       AND s.setrole = 0
       AND o.setting LIKE 'pggit_chaos.enabled=%';
$function$;
COMMENT ON FUNCTION @extschema@.is_enabled() IS
    'Answers whether the owner of this database has run ALTER DATABASE ... SET pggit_chaos.enabled = on.';

--
-- _require_enabled()
--
-- Raises PC001 unless is_enabled().  Every function that changes anything calls
-- it first.
--
CREATE FUNCTION @extschema@._require_enabled()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT @extschema@.is_enabled() THEN
        RAISE EXCEPTION 'pggit_chaos is not enabled in database "%"', current_database()
            USING ERRCODE = 'PC001',
                  DETAIL = 'It breaks things on purpose, and so the owner of the database must opt in.',
                  HINT = format('ALTER DATABASE %I SET pggit_chaos.enabled = on;',
                                current_database());
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_enabled() IS
    'Raises PC001 with the statement to run unless the owner of this database opted in.';
--
-- _near(name, candidates), _require_value(value, argument)
--
-- What the error messages are made with.  Write nothing.
--
CREATE FUNCTION @extschema@._near(name text, candidates text[])
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Near is who shares the most runs of three characters.
    SELECT string_agg(n.name, ', ' ORDER BY n.shared DESC,
                      n.name)
      FROM (SELECT '"' || c.candidate || '"' AS name, s.shared
              FROM unnest(_near.candidates) AS c(candidate)
             CROSS JOIN LATERAL (
                   SELECT count(*)::float8 / (length(c.candidate) + length(_near.name)) AS shared
                     FROM generate_series(1, length(_near.name) + 2) AS i
                    WHERE strpos('  ' || lower(c.candidate) || '  ',
                                 substr('  ' || lower(_near.name) || '  ', i, 3)) > 0) AS s
             WHERE s.shared > 0.15
             ORDER BY s.shared DESC, c.candidate
             LIMIT 3) AS n;
$function$;
COMMENT ON FUNCTION @extschema@._near(text, text[]) IS
    'Lists up to three candidates that resemble a name, quoted, nearest first; NULL where none does.';

CREATE FUNCTION @extschema@._require_value(value anyelement, argument text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF value IS NULL THEN
        RAISE EXCEPTION 'argument "%" must not be null', argument
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_value(anyelement, text) IS
    'Raises 22004 where an argument is NULL that may not be.';
--
-- _pggit_schemas(), _require_pggit(), _has(requires)
--
-- What of pgGit this database holds, read from the catalogue.  No version
-- string is trusted.  Write nothing.
--
CREATE FUNCTION @extschema@._pggit_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- pggit_base and pggit_branches hold the users' own tables and their copies,
    -- put there by data branches.
    SELECT COALESCE(array_agg(n.nspname ORDER BY n.nspname), '{}')
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname ~ '^pggit(_|$)'
       AND n.nspname NOT IN ('@extschema@', 'pggit_base', 'pggit_branches');
$function$;
COMMENT ON FUNCTION @extschema@._pggit_schemas() IS
    'Names the schemas of this database that belong to pgGit.';

CREATE FUNCTION @extschema@._require_pggit()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF cardinality(@extschema@._pggit_schemas()) = 0 THEN
        RAISE EXCEPTION 'database "%" has no pgGit', current_database()
            USING ERRCODE = 'PC002',
                  DETAIL = 'There is no schema "pggit".',
                  HINT = 'Install pgGit here, or connect to the database that has it.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_pggit() IS
    'Raises PC002 where this database has no schema of pgGit.';

CREATE FUNCTION @extschema@._has(requires text[])
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- An element is schema.table or schema.table.column.
    SELECT COALESCE(bool_and(EXISTS (
               SELECT
                 FROM pg_catalog.pg_class AS c
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = split_part(r.name, '.', 1)
                  AND c.relname = split_part(r.name, '.', 2)
                  AND (split_part(r.name, '.', 3) = ''
                       OR EXISTS (SELECT
                                    FROM pg_catalog.pg_attribute AS a
                                   WHERE a.attrelid = c.oid
                                     AND a.attname = split_part(r.name, '.', 3)
                                     AND a.attnum > 0
                                     AND NOT a.attisdropped)))), true)
      FROM unnest(requires) AS r(name);
$function$;
COMMENT ON FUNCTION @extschema@._has(text[]) IS
    'Answers whether every relation and column named as schema.table or schema.table.column exists.';

--
-- _require_replica_role()
--
-- Raises 42501 unless session_replication_role may be set here.  pgGit versions
-- every DDL statement but those of the replica role, ours must not be among
-- them, and foreign keys do not stand in the way of a corruption there.
--
CREATE FUNCTION @extschema@._require_replica_role()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT has_parameter_privilege('session_replication_role', 'SET') THEN
        RAISE EXCEPTION 'role "%" may not set session_replication_role', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'pgGit and its foreign keys rest under the replica role only.',
                  HINT = format('Ask a superuser to run: '
                                'GRANT SET ON PARAMETER session_replication_role TO %I;',
                                current_user);
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_replica_role() IS
    'Raises 42501 where the caller may not set session_replication_role.';
--
-- _drop_guard()
--
-- Takes the hooks out before PostgreSQL looks at the dependencies of what is
-- being dropped.  So a plain DROP EXTENSION pggit_chaos puts pgGit back by
-- itself, without CASCADE, and no hooked body outlives hit().  The tag alone
-- does not say what is dropped; the statement, or the one that runs it, does.
-- Who may not take hooks out cannot drop the extension either, and is let by.
-- Writes: what uninstall_hooks() writes.
--
CREATE FUNCTION @extschema@._drop_guard()
RETURNS event_trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    IF (TG_TAG = 'DROP OWNED'
        OR concat_ws(' ', current_query(), v_stack) ~* '\mpggit_chaos\M(?![.])')
       AND has_function_privilege('@extschema@.uninstall_hooks()', 'EXECUTE') THEN
        PERFORM u.removed FROM @extschema@.uninstall_hooks() AS u;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drop_guard() IS
    'Takes the hooks out of pgGit before the extension is dropped.';

CREATE EVENT TRIGGER pggit_chaos_drop_guard ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION @extschema@._drop_guard();
ALTER EVENT TRIGGER pggit_chaos_drop_guard ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER pggit_chaos_drop_guard IS
    'Takes the hooks out of pgGit before pggit_chaos is dropped.';
--
-- _hooks()
--
-- The hooks that are in place, read from the catalogue: one row a function, a
-- table, a table's COMMIT trigger, an event trigger; with the failpoint, or the
-- table, that the hook itself names.  Writes: nothing.
--
CREATE FUNCTION @extschema@._hooks()
RETURNS TABLE (kind text, object text, failpoint text, enabled boolean)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    SELECT 'function', p.oid::regprocedure::text, f.failpoint, true
      FROM pg_catalog.pg_proc AS p
     CROSS JOIN LATERAL @extschema@._hooked_failpoint(p.prosrc) AS f(failpoint)
     WHERE strpos(p.prosrc, '/*pggit_chaos*/BEGIN IF @extschema@.hit(') > 0
       AND p.pronamespace <> '@extschema@'::regnamespace
       AND f.failpoint IS NOT NULL
    UNION ALL
    SELECT t.kind, t.relation::text, min(@extschema@._hooked_table(t.tgargs)),
           count(*) = CASE t.kind WHEN 'commit' THEN 1 ELSE 2 END
           -- A trigger that an older version made has a condition, and tests for less.
           AND bool_and(t.tgenabled = 'O' AND t.tgqual IS NULL)
      FROM (SELECT CASE g.tgname WHEN 'zz_pggit_chaos_commit' THEN 'commit'
                                 ELSE 'table' END AS kind,
                   g.tgrelid::regclass AS relation, g.tgargs, g.tgenabled, g.tgqual
              FROM pg_catalog.pg_trigger AS g
             WHERE g.tgfoid = '@extschema@._row_hook()'::regprocedure
               AND g.tgparentid = 0) AS t
     GROUP BY t.kind, t.relation
    UNION ALL
    SELECT 'ddl', e.evtname, NULL, e.evtenabled = 'O'
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtfoid = '@extschema@._ddl_hook()'::regprocedure;
$function$;
COMMENT ON FUNCTION @extschema@._hooks() IS
    'Lists the hooks that are in place.';

CREATE FUNCTION @extschema@._hooked_table(arguments bytea)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- pg_trigger holds the arguments one behind the other, each with a zero byte.
    SELECT convert_from(
               substring(arguments FROM 1
                         FOR GREATEST(position('\x00'::bytea IN arguments) - 1, 0)),
               getdatabaseencoding());
$function$;
COMMENT ON FUNCTION @extschema@._hooked_table(bytea) IS
    'Reads the table that a row hook names out of the arguments of its trigger.';

--
-- _failpoints()
--
-- The failpoints that the hooks in place make.  Writes: nothing.
--
CREATE FUNCTION @extschema@._failpoints()
RETURNS TABLE (failpoint text, kind text, object text, phase text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH hook AS MATERIALIZED (SELECT h.* FROM @extschema@._hooks() AS h)
    SELECT h.failpoint, h.kind, h.object, 'entry'
      FROM hook AS h
     WHERE h.kind = 'function'
    UNION ALL
    SELECT format('%s.%s.%s', h.failpoint, e.event, p.phase), h.kind, h.object, p.phase
      FROM hook AS h
      JOIN (VALUES ('table', 'before'), ('table', 'after'), ('commit', 'commit')) AS p(kind, phase)
           ON p.kind = h.kind
     CROSS JOIN (VALUES ('insert'), ('update'), ('delete')) AS e(event)
    UNION ALL
    SELECT format('ddl.%s.%s', t.tag, p.phase), h.kind, t.tag, p.phase
      FROM hook AS h
      JOIN (VALUES ('zz_pggit_chaos_ddl_command_start', 'start'),
                   ('zz_pggit_chaos_ddl_command_end', 'end')) AS p(hook, phase)
           ON p.hook = h.object
     CROSS JOIN @extschema@._command_tags() AS t(tag)
    UNION ALL
    SELECT 'ddl.drop', h.kind, 'any', 'drop'
      FROM hook AS h
     WHERE h.object = 'zz_pggit_chaos_sql_drop';
$function$;
COMMENT ON FUNCTION @extschema@._failpoints() IS
    'Lists the failpoints of the hooks that are in place.';

--
-- _command_tags()
--
-- The command tags for which PostgreSQL fires event triggers (its catalogue does
-- not hold them; documentation, "Event Trigger Firing Matrix").
--
CREATE FUNCTION @extschema@._command_tags()
RETURNS SETOF text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT v.verb || ' ' || o.object
      FROM unnest(ARRAY['CREATE', 'ALTER', 'DROP']) AS v(verb)
     CROSS JOIN unnest(ARRAY['ACCESS METHOD', 'AGGREGATE', 'CAST', 'COLLATION', 'CONVERSION',
                             'DOMAIN', 'EXTENSION', 'FOREIGN DATA WRAPPER', 'FOREIGN TABLE',
                             'FUNCTION', 'INDEX', 'LANGUAGE', 'MATERIALIZED VIEW', 'OPERATOR',
                             'OPERATOR CLASS', 'OPERATOR FAMILY', 'POLICY', 'PROCEDURE',
                             'PUBLICATION', 'ROUTINE', 'RULE', 'SCHEMA', 'SEQUENCE', 'SERVER',
                             'STATISTICS', 'SUBSCRIPTION', 'TABLE', 'TEXT SEARCH CONFIGURATION',
                             'TEXT SEARCH DICTIONARY', 'TEXT SEARCH PARSER',
                             'TEXT SEARCH TEMPLATE', 'TRANSFORM', 'TRIGGER', 'TYPE',
                             'USER MAPPING', 'VIEW']) AS o(object)
    UNION ALL
    SELECT t.tag
      FROM unnest(ARRAY['ALTER DEFAULT PRIVILEGES', 'ALTER LARGE OBJECT', 'COMMENT',
                        'CREATE TABLE AS', 'DROP OWNED', 'GRANT', 'IMPORT FOREIGN SCHEMA',
                        'REFRESH MATERIALIZED VIEW', 'REINDEX', 'REVOKE', 'SECURITY LABEL',
                        'SELECT INTO']) AS t(tag);
$function$;
COMMENT ON FUNCTION @extschema@._command_tags() IS
    'Lists the command tags for which event triggers fire.';

CREATE VIEW @extschema@.skipped_hook AS
SELECT s.object, s.kind, s.reason
  FROM @extschema@._skipped_hook AS s;
COMMENT ON VIEW @extschema@.skipped_hook IS
    'What install_hooks() found and could not hook, with the reason.';
--
-- The hit path: what runs inside pgGit, as whoever calls pgGit.
--
-- hit(failpoint)
--
-- Disarmed, it tests one setting and is out.  Its body is ATOMIC: names and
-- operators are bound here and now and need no search_path, and so PostgreSQL
-- can inline it, and _armed() in it, into the IF that calls it.  The setting holds
-- the patterns of this session's own faults, and a fault that is armed elsewhere
-- costs little more than none.  Always answers false.
--
CREATE FUNCTION @extschema@._armed()
RETURNS boolean
LANGUAGE sql
STABLE
RETURN current_setting('pggit_chaos.armed', true) <> '' OR @extschema@._armed_for_others();
COMMENT ON FUNCTION @extschema@._armed() IS
    'Answers whether any fault may be armed for this session.';

CREATE FUNCTION @extschema@._armed(failpoint text)
RETURNS boolean
LANGUAGE sql
STABLE
RETURN failpoint LIKE ANY (string_to_array(current_setting('pggit_chaos.armed', true), E'\n'))
       OR @extschema@._armed_for_others(failpoint);
COMMENT ON FUNCTION @extschema@._armed(text) IS
    'Answers whether any fault may be armed at a failpoint for this session.';

CREATE FUNCTION @extschema@._hit_armed(failpoint text)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._strike(failpoint);
    RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._hit_armed(text) IS
    'Lets the faults that are armed for this session strike at a failpoint; answers false.';

CREATE FUNCTION @extschema@.hit(failpoint text)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN CASE WHEN @extschema@._armed(failpoint)
            THEN @extschema@._hit_armed(failpoint)
            ELSE false
       END;
COMMENT ON FUNCTION @extschema@.hit(text) IS
    'The call that a hooked function makes at its entry; answers false.';

--
-- _row_hook()
--
-- The trigger behind the failpoints TABLE.EVENT.PHASE; table and phase are its
-- arguments.  Only a before-row trigger can skip or change the row.
--
CREATE FUNCTION @extschema@._row_hook()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_heard     integer;
    v_failpoint text;
    v_verdict   jsonb;
BEGIN
    -- PostgreSQL hears of what other sessions have armed when it takes a lock on a
    -- relation, and at COMMIT nothing else does.  No transaction keeps this one.
    IF TG_ARGV[1] = 'commit' THEN
        v_heard := pg_relation_is_updatable('@extschema@._fault_id', false);
    END IF;
    IF @extschema@._armed() THEN
        v_failpoint := concat_ws('.', TG_ARGV[0], lower(TG_OP), TG_ARGV[1]);
        IF @extschema@._armed(v_failpoint) THEN
            v_verdict := @extschema@._strike(v_failpoint);
        END IF;
        IF v_verdict ? 'skip' THEN
            RETURN NULL;
        ELSIF v_verdict ? 'mutate' AND TG_OP <> 'DELETE' THEN
            RETURN jsonb_populate_record(NEW, v_verdict -> 'mutate');
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_hook() IS
    'The row trigger that passes the failpoints of a table.';

--
-- _ddl_hook()
--
-- The event trigger behind the failpoints ddl.TAG.start, ddl.TAG.end, ddl.drop.
--
CREATE FUNCTION @extschema@._ddl_hook()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
BEGIN
    IF @extschema@._armed() THEN
        v_failpoint := CASE TG_EVENT
                           WHEN 'ddl_command_start' THEN format('ddl.%s.start', TG_TAG)
                           WHEN 'ddl_command_end' THEN format('ddl.%s.end', TG_TAG)
                           ELSE 'ddl.drop'
                       END;
        IF @extschema@._armed(v_failpoint) THEN
            PERFORM @extschema@._strike(v_failpoint);
        END IF;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._ddl_hook() IS
    'The event trigger that passes the failpoints of DDL.';
--
-- _hooked_source(source, failpoint, semicolon), _unhooked_source(source)
--
-- A hooked function is its own body as an inner block behind one call:
--
--     BEGIN IF pggit_chaos.hit('f()') THEN END IF; <original> END
--
-- all on the first line of the original, so that the line numbers in pgGit's
-- own error contexts stay true.  IF and not PERFORM: PERFORM sets FOUND and
-- ROW_COUNT.  #option lines stay first.  Write nothing.
--
CREATE FUNCTION @extschema@._hooked_source(source text, failpoint text, semicolon boolean)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The inner block ends in a semicolon: ours, where the original has none.
    SELECT o.options
           || '/*pggit_chaos*/BEGIN IF @extschema@.hit('
           || quote_literal(failpoint) || ') THEN END IF; '
           || substr(source, length(o.options) + 1)
           || E'\n/*pggit_chaos*/' || CASE WHEN semicolon THEN ';END' ELSE 'END' END
      FROM (SELECT COALESCE(substring(source FROM '^(?:\s*#[a-z_]+[ \t]+\w+)+'), '')
                   AS options) AS o;
$function$;
COMMENT ON FUNCTION @extschema@._hooked_source(text, text, boolean) IS
    'Puts the hook of a failpoint around the body of a PL/pgSQL function.';

CREATE FUNCTION @extschema@._unhooked_source(source text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN h.prefix IS NULL OR h.suffix IS NULL THEN source
           ELSE left(source, strpos(source, h.prefix) - 1)
                || substr(source, strpos(source, h.prefix) + length(h.prefix),
                          length(source) - length(h.suffix) - length(h.prefix)
                          - strpos(source, h.prefix) + 1)
           END
      FROM (SELECT substring(source FROM '/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                                         '\( ?E?''(?:[^'']|'''')*''\) THEN END IF; ') AS prefix,
                   substring(source FROM '\n/\*pggit_chaos\*/;?END$') AS suffix) AS h;
$function$;
COMMENT ON FUNCTION @extschema@._unhooked_source(text) IS
    'Returns the original body of a hooked function, and any other body as it is.';

--
-- _hooked_failpoint(source)
--
-- The failpoint that a hooked body passes; NULL for a body that is not hooked.
--
CREATE FUNCTION @extschema@._hooked_failpoint(source text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN m.literal LIKE '%\\\\%' THEN replace(m.name, '\\', '\') ELSE m.name END
      FROM (SELECT l.literal, replace(substring(l.literal FROM '''(.*)'''), '''''', '''') AS name
              FROM (SELECT substring(source FROM '/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                                   '\(( ?E?''(?:[^'']|'''')*'')\) THEN END IF; ')) AS l(literal)
           ) AS m;
$function$;
COMMENT ON FUNCTION @extschema@._hooked_failpoint(text) IS
    'Names the failpoint in a hooked body, or NULL where the body is not hooked.';

--
-- _replace_source(function, source)
--
-- CREATE OR REPLACE with another body: OID, owner, grants, settings, dependants
-- and membership in an extension stay.
--
CREATE FUNCTION @extschema@._replace_source(function regprocedure, source text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET check_function_bodies = on
AS $function$
DECLARE
    v_definition text := pg_get_functiondef(function);
    v_old        text;
    v_tag        text := substring(v_definition FROM '\$\w+\$\n*$');
BEGIN
    SELECT p.prosrc INTO STRICT v_old FROM pg_catalog.pg_proc AS p WHERE p.oid = function;
    -- The definition ends in AS <tag><source><tag>.
    EXECUTE left(v_definition,
                 length(v_definition) - length(v_tag) - length(v_old) - length(rtrim(v_tag, E'\n')))
            || quote_literal(source);
END;
$function$;
COMMENT ON FUNCTION @extschema@._replace_source(regprocedure, text) IS
    'Gives a PL/pgSQL function another body and leaves all else as it is.';
--
-- hooks_intact()
--
-- What is wrong with the hooks: one row a problem, none where all is in place.
-- pgGit replaces, adds and drops functions and tables when it is upgraded.
-- Writes: nothing.  Mended by install_hooks().
--
CREATE FUNCTION @extschema@.hooks_intact()
RETURNS TABLE (object text, problem text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    WITH hook AS MATERIALIZED (
        SELECT h.* FROM @extschema@._hooks() AS h
    ), present AS (
        SELECT 'function' AS kind, p.oid::regprocedure::text AS object, n.nspname
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
         WHERE p.prokind IN ('f', 'p')
        UNION ALL
        SELECT k.kind, c.oid::regclass::text, n.nspname
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         CROSS JOIN (VALUES ('table'), ('commit')) AS k(kind)
         WHERE c.relkind IN ('r', 'p')
           AND NOT c.relispartition
        UNION ALL
        SELECT 'ddl', e.name, s.schema_name
          FROM unnest(ARRAY['zz_pggit_chaos_ddl_command_start', 'zz_pggit_chaos_ddl_command_end',
                            'zz_pggit_chaos_sql_drop']) AS e(name)
         CROSS JOIN (SELECT i.schema_name FROM @extschema@._hooked_schema AS i LIMIT 1) AS s
    )
    SELECT current_database()::text, 'no hooks are installed'
     WHERE NOT EXISTS (SELECT FROM hook)
    UNION ALL
    SELECT p.object,
           CASE WHEN h.object IS NULL THEN format('it has no %s hook', p.kind)
                WHEN NOT h.enabled THEN format('its %s hook is disabled or out of date', p.kind)
                ELSE format('its hook names "%s"', h.failpoint)
           END
      FROM present AS p
      JOIN @extschema@._hooked_schema AS s ON s.schema_name = p.nspname
      LEFT JOIN hook AS h ON h.kind = p.kind AND h.object = p.object
     WHERE EXISTS (SELECT FROM hook)
       AND (h.object IS NULL OR NOT h.enabled OR h.failpoint <> p.object)
       AND NOT EXISTS (SELECT
                         FROM @extschema@._skipped_hook AS k
                        WHERE k.kind = p.kind AND k.object = p.object);
$function$;
COMMENT ON FUNCTION @extschema@.hooks_intact() IS
    'Lists the hooks that are missing, disabled or out of date; no row means that all are in place.';
--
-- install_hooks(target_schemas)
--
-- Hooks what it can of the given schemas (by default all of pgGit's): entries of
-- PL/pgSQL functions, writes to tables, COMMIT, DDL.  May be run again: it mends
-- what an upgrade of pgGit has replaced.  Answers how many hooks of each kind
-- are in place, and how many objects were skipped; view skipped_hook says why.
-- Writes: pgGit's functions and triggers, _hooked_schema, _skipped_hook.
-- Locks: SHARE ROW EXCLUSIVE on each table, and an advisory lock, so that no two
-- sessions install or uninstall at once.  Undone by uninstall_hooks().
-- Calls: _hook_function, _hook_table, _hook_ddl.
--
CREATE FUNCTION @extschema@.install_hooks(target_schemas name[] DEFAULT NULL)
RETURNS TABLE (kind text, installed integer, skipped integer)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_replica_role();
    IF target_schemas IS NULL THEN
        PERFORM @extschema@._require_pggit();
    END IF;
    PERFORM @extschema@._hook_schemas(
        COALESCE(target_schemas, @extschema@._pggit_schemas()));
    RETURN QUERY
        SELECT k.kind,
               (SELECT count(*)::integer FROM @extschema@._hooks() AS h WHERE h.kind = k.kind),
               (SELECT count(*)::integer
                  FROM @extschema@._skipped_hook AS s WHERE s.kind = k.kind)
          FROM unnest(ARRAY['function', 'table', 'commit', 'ddl']) AS k(kind);
END;
$function$;
COMMENT ON FUNCTION @extschema@.install_hooks(name[]) IS
    'Puts a hook at every function entry, table write, COMMIT and DDL statement of pgGit, and counts them by kind.';

CREATE FUNCTION @extschema@._hook_schemas(schemas name[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET quote_all_identifiers = off
SET client_min_messages = warning
AS $function$
DECLARE
    v_missing name;
    v_sound   text[];
BEGIN
    SELECT s.name INTO v_missing
      FROM unnest(schemas) AS s(name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = s.name)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema "%" does not exist', v_missing
            USING ERRCODE = 'invalid_schema_name';
    END IF;
    PERFORM @extschema@._lock_hooks();
    DELETE FROM @extschema@._skipped_hook;
    INSERT INTO @extschema@._hooked_schema (schema_name)
    SELECT DISTINCT s.name FROM unnest(schemas) AS s(name)
        ON CONFLICT DO NOTHING;
    PERFORM @extschema@._hook_function(p.oid)
       FROM pg_catalog.pg_proc AS p
       JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
      WHERE n.nspname = ANY (schemas)
        AND p.prokind IN ('f', 'p');
    v_sound := ARRAY(SELECT h.object
                       FROM @extschema@._hooks() AS h
                      WHERE h.kind IN ('table', 'commit')
                        AND h.enabled
                        AND h.failpoint = h.object
                      GROUP BY h.object
                     HAVING count(*) = 2);
    PERFORM @extschema@._hook_table(c.oid)
       FROM pg_catalog.pg_class AS c
       JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY (schemas)
        AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition
        AND c.oid::regclass::text <> ALL (v_sound);
    PERFORM @extschema@._hook_ddl();
END;
$function$;
COMMENT ON FUNCTION @extschema@._hook_schemas(name[]) IS
    'Hooks the functions and tables of the given schemas, and DDL, unseen by pgGit.';

CREATE FUNCTION @extschema@._lock_hooks()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_advisory_xact_lock(hashtext('pggit_chaos'), hashtext('hooks'));
$function$;
COMMENT ON FUNCTION @extschema@._lock_hooks() IS
    'Keeps other sessions from installing or uninstalling hooks until the end of the transaction.';

--
-- _hook_function(function), _skip_hook(object, kind, reason)
--
-- A body whose last END has no semicolon needs one behind it, and one that has
-- must not get another; PostgreSQL's own parser knows which it is, comments and
-- all, and so both are tried.
--
CREATE FUNCTION @extschema@._hook_function(function regprocedure)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name     text := function::text;
    v_source   text;
    v_language name;
BEGIN
    SELECT p.prosrc, l.lanname
      INTO STRICT v_source, v_language
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
     WHERE p.oid = function;
    IF v_language <> 'plpgsql' THEN
        PERFORM @extschema@._skip_hook(v_name, 'function',
                                       format('it is written in language "%s"', v_language));
    ELSIF @extschema@._hooked_failpoint(v_source) IS DISTINCT FROM v_name THEN
        v_source := @extschema@._unhooked_source(v_source);
        BEGIN
            PERFORM @extschema@._replace_source(
                function, @extschema@._hooked_source(v_source, v_name, true));
        EXCEPTION WHEN syntax_error THEN
            PERFORM @extschema@._replace_source(
                function, @extschema@._hooked_source(v_source, v_name, false));
        END;
    END IF;
EXCEPTION
    -- What PostgreSQL says of a body that it does not take.
    WHEN syntax_error_or_access_rule_violation OR feature_not_supported
         OR invalid_schema_name THEN
        PERFORM @extschema@._skip_hook(v_name, 'function', SQLERRM);
END;
$function$;
COMMENT ON FUNCTION @extschema@._hook_function(regprocedure) IS
    'Hooks the entry of one function, or records why it cannot be hooked.';

CREATE FUNCTION @extschema@._skip_hook(object text, kind text, reason text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    INSERT INTO @extschema@._skipped_hook (object, kind, reason)
    VALUES (object, kind, reason);
$function$;
COMMENT ON FUNCTION @extschema@._skip_hook(text, text, text) IS
    'Records that an object is not hooked, and why.';

--
-- _hook_table(relation)
--
-- Row triggers before and after each write, and a deferred constraint trigger,
-- which fires at COMMIT.  The names sort behind pgGit's own.  No trigger has a WHEN
-- clause: PostgreSQL compiles it anew for each statement, and that costs more than
-- the call that it would save.  What is there and not in order is made anew.
--
CREATE FUNCTION @extschema@._hook_table(relation regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_trigger record;
BEGIN
    FOR v_trigger IN
        SELECT 'zz_pggit_chaos_' || t.phase AS name, t.phase, t.form
          FROM (VALUES
                   ('before', 'CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s '
                              'FOR EACH ROW EXECUTE FUNCTION @extschema@._row_hook(%L, %L)'),
                   ('after',  'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s '
                              'FOR EACH ROW EXECUTE FUNCTION @extschema@._row_hook(%L, %L)'),
                   ('commit', 'CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s '
                              'DEFERRABLE INITIALLY DEFERRED '
                              'FOR EACH ROW EXECUTE FUNCTION @extschema@._row_hook(%L, %L)')
               ) AS t(phase, form)
    LOOP
        IF EXISTS (SELECT
                     FROM pg_catalog.pg_trigger AS g
                    WHERE g.tgrelid = relation
                      AND g.tgname = v_trigger.name) THEN
            EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.name, relation);
        END IF;
        EXECUTE format(v_trigger.form, v_trigger.name, relation, relation::text, v_trigger.phase);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._hook_table(regclass) IS
    'Puts the three row triggers on one table.';

--
-- _hook_ddl()
--
-- Event triggers fire in name order: .start comes before anything of pgGit's,
-- .end and ddl.drop come behind it.
--
CREATE FUNCTION @extschema@._hook_ddl()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_event text;
BEGIN
    FOREACH v_event IN ARRAY ARRAY['ddl_command_start', 'ddl_command_end', 'sql_drop'] LOOP
        IF NOT EXISTS (SELECT
                         FROM pg_catalog.pg_event_trigger AS e
                        WHERE e.evtname = 'zz_pggit_chaos_' || v_event) THEN
            EXECUTE format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION @extschema@._ddl_hook()',
                           'zz_pggit_chaos_' || v_event, v_event);
        END IF;
        EXECUTE format('ALTER EVENT TRIGGER %I ENABLE', 'zz_pggit_chaos_' || v_event);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._hook_ddl() IS
    'Puts the three event triggers on this database.';
--
-- uninstall_hooks()
--
-- Takes every hook out again, wherever it is, and counts them by kind.  Each
-- original body is read out of the hooked one: a function that was replaced
-- since is newer, has no hook in it, and is left alone.  Asks for no opt-in:
-- putting pgGit back is always allowed.  Writes: pgGit's functions and triggers,
-- _hooked_schema, _skipped_hook.  Locks: ACCESS EXCLUSIVE on each hooked table, and
-- the advisory lock of install_hooks().
-- Calls: _unhook.
--
CREATE FUNCTION @extschema@.uninstall_hooks()
RETURNS TABLE (kind text, removed integer)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF EXISTS (SELECT FROM @extschema@._hooks()) THEN
        PERFORM @extschema@._require_replica_role();
        PERFORM @extschema@._lock_hooks();
    END IF;
    RETURN QUERY
        SELECT k.kind, COALESCE(h.removed, 0)
          FROM unnest(ARRAY['function', 'table', 'commit', 'ddl'])
               WITH ORDINALITY AS k(kind, position)
          LEFT JOIN (SELECT i.kind, count(*)::integer AS removed
                       FROM @extschema@._hooks() AS i
                      GROUP BY i.kind) AS h ON h.kind = k.kind
         ORDER BY k.position;
    IF EXISTS (SELECT FROM @extschema@._hooks()) THEN
        PERFORM @extschema@._unhook();
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@.uninstall_hooks() IS
    'Takes every hook out of pgGit, leaves pgGit as it was, and counts the hooks by kind.';

CREATE FUNCTION @extschema@._unhook()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET client_min_messages = warning
AS $function$
DECLARE
    v_statement text;
BEGIN
    -- A table with COMMIT hooks still to fire lets go of no trigger: fire ours.
    FOR v_statement IN
        SELECT format('SET CONSTRAINTS %I.zz_pggit_chaos_commit IMMEDIATE', n.nspname)
          FROM pg_catalog.pg_constraint AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
         WHERE c.contype = 't'
           AND c.conname = 'zz_pggit_chaos_commit'
         GROUP BY n.nspname
        UNION ALL
        SELECT format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass)
          FROM pg_catalog.pg_trigger AS g
         WHERE g.tgfoid = '@extschema@._row_hook()'::regprocedure
           AND g.tgparentid = 0
        UNION ALL
        SELECT format('DROP EVENT TRIGGER %I', e.evtname)
          FROM pg_catalog.pg_event_trigger AS e
         WHERE e.evtfoid = '@extschema@._ddl_hook()'::regprocedure
    LOOP
        EXECUTE v_statement;
    END LOOP;
    PERFORM @extschema@._replace_source(p.oid, @extschema@._unhooked_source(p.prosrc))
       FROM pg_catalog.pg_proc AS p
      WHERE strpos(p.prosrc, '/*pggit_chaos*/BEGIN IF @extschema@.hit(') > 0
        AND p.pronamespace <> '@extschema@'::regnamespace
        AND @extschema@._hooked_failpoint(p.prosrc) IS NOT NULL;
    DELETE FROM @extschema@._hooked_schema;
    DELETE FROM @extschema@._skipped_hook;
END;
$function$;
COMMENT ON FUNCTION @extschema@._unhook() IS
    'Drops our triggers and restores the hooked bodies, unseen by pgGit.';
--
-- _no_arguments(action, arguments), _bad_arguments(action, arguments, expected),
-- _require_before_row(action, failpoint)
--
-- What the parsers of the actions share.  Write nothing.
--
CREATE FUNCTION @extschema@._no_arguments(action text, arguments text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF arguments IS NOT NULL AND arguments !~ '^\s*$' THEN
        PERFORM @extschema@._bad_arguments(action, arguments, 'no arguments');
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._no_arguments(text, text) IS
    'Raises 22023 where an action that takes no arguments got some.';

CREATE FUNCTION @extschema@._bad_arguments(action text, arguments text, expected text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'invalid arguments "%" for action "%"', COALESCE(arguments, ''), action
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = format('It takes %s.', expected);
END;
$function$;
COMMENT ON FUNCTION @extschema@._bad_arguments(text, text, text) IS
    'Raises 22023 for the arguments of an action.';

CREATE FUNCTION @extschema@._require_before_row(action text, failpoint text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF failpoint !~ '\.(insert|update|delete|\*)\.before$' THEN
        RAISE EXCEPTION 'action "%" cannot strike at failpoint "%"', action, failpoint
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Only a before-row failpoint can change what is written.',
                  HINT = 'Take a failpoint that ends in .insert.before, .update.before '
                         'or .delete.before.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_before_row(text, text) IS
    'Raises 22023 where a failpoint is not one of before-row triggers.';
--
-- cancel: a real cancellation of the statement, 57014.
--
CREATE FUNCTION @extschema@._action_cancel_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('cancel', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_cancel_parse(text, text) IS
    'Reads the arguments of the action cancel: there are none.';

CREATE FUNCTION @extschema@._action_cancel(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_cancel_backend(pg_backend_pid());
    -- The signal is heeded at the next interrupt check, at the latest in here.
    PERFORM pg_sleep(10);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_cancel(@extschema@._fault, text, bigint, jsonb) IS
    'Cancels the statement that this session runs.';
--
-- crash: the server process is killed, and PostgreSQL recovers.  Only where the
-- owner of the server has declared it disposable.
--
CREATE FUNCTION @extschema@._action_crash_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_disposable();
    RETURN @extschema@._no_arguments('crash', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_crash_parse(text, text) IS
    'Reads the arguments of the action crash, there are none, and asks whether the server is disposable.';

CREATE FUNCTION @extschema@._action_crash(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_disposable();
    -- The shell that PostgreSQL starts is a child of this very backend.
    COPY (SELECT) TO PROGRAM 'kill -9 $PPID';
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_crash(@extschema@._fault, text, bigint, jsonb) IS
    'Kills the server process that passes the failpoint.';

--
-- _require_disposable()
--
-- Raises PC009 unless the server's own configuration files say that it may be
-- crashed.  Neither a session's nor a database's nor a role's setting counts, and
-- pg_dumpall does not carry it to another server.
--
CREATE FUNCTION @extschema@._require_disposable()
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT
                     FROM pg_catalog.pg_show_all_file_settings() AS s
                    WHERE s.name = 'pggit_chaos.disposable'
                      AND lower(s.setting) IN ('on', 'true', 'yes', '1')) THEN
        RAISE EXCEPTION 'this server is not declared disposable'
            USING ERRCODE = 'PC009',
                  DETAIL = 'A crash ends every session of the server, not of this database alone.',
                  HINT = 'SET pggit_chaos.disposable = on; '
                         'ALTER SYSTEM SET pggit_chaos.disposable = on;';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_disposable() IS
    'Raises PC009 unless the server''s configuration declares it disposable.';
--
-- delay(ms): sleeps.
--
CREATE FUNCTION @extschema@._action_delay_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF arguments IS NULL OR arguments !~ '^\s*\d{1,7}(\.\d+)?\s*$' THEN
        PERFORM @extschema@._bad_arguments('delay', arguments, 'a number of milliseconds');
    END IF;
    RETURN to_jsonb(arguments::numeric);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_delay_parse(text, text) IS
    'Reads the arguments of the action delay: milliseconds.';

CREATE FUNCTION @extschema@._action_delay(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_sleep(arguments::float8 / 1000);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_delay(@extschema@._fault, text, bigint, jsonb) IS
    'Sleeps for the given milliseconds.';
--
-- error(SQLSTATE or condition name[, message]): raises it.  The diagnostics say
-- that it is ours (SCHEMA pggit_chaos, CONSTRAINT the failpoint); the text does
-- not have to.
--
CREATE FUNCTION @extschema@._action_error_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_match    text[] := regexp_match(COALESCE(arguments, 'PC100'),
                                      '^\s*([0-9A-Za-z_]+)\s*(?:,\s*(.*?)\s*)?$');
    v_sqlstate text := @extschema@._sqlstate_of(v_match[1]);
BEGIN
    IF v_sqlstate IS NULL THEN
        PERFORM @extschema@._bad_arguments(
            'error', arguments,
            'an SQLSTATE or the name of an error condition, and perhaps a message');
    END IF;
    RETURN jsonb_build_object('sqlstate', v_sqlstate, 'message', v_match[2]);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_error_parse(text, text) IS
    'Reads the arguments of the action error: SQLSTATE or condition name, and a message.';

--
-- _sqlstate_of(name)
--
-- The SQLSTATE that an SQLSTATE or condition name stands for, NULL for anything
-- else and for the classes that are no errors.  PostgreSQL lists its condition
-- names nowhere in the catalogue: raise one and see what arrives.
--
CREATE FUNCTION @extschema@._sqlstate_of(name text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sqlstate text;
    v_column   text;
BEGIN
    RAISE EXCEPTION USING ERRCODE = name, COLUMN = 'condition';
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    GET STACKED DIAGNOSTICS v_sqlstate = RETURNED_SQLSTATE, v_column = COLUMN_NAME;
    -- RAISE turns 00000 into something else.
    IF v_column = 'condition' AND v_sqlstate !~ '^0[0-2]'
       AND (name !~ '^[0-9A-Z]{5}$' OR name = v_sqlstate) THEN
        RETURN v_sqlstate;
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sqlstate_of(text) IS
    'Resolves an SQLSTATE or condition name to an SQLSTATE; NULL where it is none.';

CREATE FUNCTION @extschema@._action_error(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = arguments ->> 'sqlstate',
        MESSAGE = COALESCE(arguments ->> 'message',
                           format('fault at failpoint "%s"', failpoint)),
        SCHEMA = '@extschema@',
        CONSTRAINT = failpoint;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_error(@extschema@._fault, text, bigint, jsonb) IS
    'Raises an error with the given SQLSTATE, marked in its diagnostics.';
--
-- journal: writes the hit and the call stack down where no rollback reaches.
-- A prepared statement is the one thing in a session that holds text and
-- outlives an aborted subtransaction.  trace() reads it back.
--
CREATE FUNCTION @extschema@._action_journal_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('journal', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_journal_parse(text, text) IS
    'Reads the arguments of the action journal: there are none.';

CREATE FUNCTION @extschema@._action_journal(fault @extschema@._fault, failpoint text, hit bigint,
                                            arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lc_messages = 'C'
AS $function$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    EXECUTE format('PREPARE %I AS SELECT %L::text, %L::text',
                   '@extschema@ hit ' || hit, failpoint, v_stack);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_journal(@extschema@._fault, text, bigint, jsonb) IS
    'Writes a hit and its call stack into the journal of this session.';
--
-- mutate(jsonb): the row is written with these columns changed.
--
CREATE FUNCTION @extschema@._action_mutate_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns jsonb;
    v_unknown text;
BEGIN
    PERFORM @extschema@._require_before_row('mutate', failpoint);
    BEGIN
        v_columns := arguments::jsonb;
    EXCEPTION WHEN invalid_text_representation THEN
        v_columns := NULL;
    END;
    IF jsonb_typeof(v_columns) IS DISTINCT FROM 'object' THEN
        PERFORM @extschema@._bad_arguments('mutate', arguments,
                                           'a JSON object with the columns to change');
    END IF;
    -- With a pattern the table is known at the strike only.
    SELECT k.key INTO v_unknown
      FROM jsonb_object_keys(v_columns) AS k(key)
      JOIN @extschema@._failpoints() AS f ON f.failpoint = _action_mutate_parse.failpoint
     WHERE NOT EXISTS (SELECT
                         FROM pg_catalog.pg_attribute AS a
                        WHERE a.attrelid = f.object::regclass
                          AND a.attname = k.key
                          AND a.attnum > 0
                          AND NOT a.attisdropped)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" does not exist at failpoint "%"', v_unknown, failpoint
            USING ERRCODE = 'undefined_column';
    END IF;
    RETURN v_columns;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_mutate_parse(text, text) IS
    'Reads the arguments of the action mutate: a JSON object of columns.';

CREATE FUNCTION @extschema@._action_mutate(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object('mutate', arguments);
$function$;
COMMENT ON FUNCTION @extschema@._action_mutate(@extschema@._fault, text, bigint, jsonb) IS
    'Tells the before-row trigger which columns to change.';
--
-- notice(text): tells the client.
--
CREATE FUNCTION @extschema@._action_notice_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_jsonb(COALESCE(arguments, format('failpoint "%s"', failpoint)));
$function$;
COMMENT ON FUNCTION @extschema@._action_notice_parse(text, text) IS
    'Reads the arguments of the action notice: the text; by default the failpoint.';

CREATE FUNCTION @extschema@._action_notice(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE NOTICE '%', arguments #>> '{}'
        USING SCHEMA = '@extschema@', CONSTRAINT = failpoint;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_notice(@extschema@._fault, text, bigint, jsonb) IS
    'Sends a NOTICE, marked in its diagnostics.';
--
-- off: does nothing, and so ends or spaces a chain.
--
CREATE FUNCTION @extschema@._action_off_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('off', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_off_parse(text, text) IS
    'Reads the arguments of the action off: there are none.';
--
-- skip: the write does not happen, and nobody is told.
--
CREATE FUNCTION @extschema@._action_skip_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_before_row('skip', failpoint);
    RETURN @extschema@._no_arguments('skip', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_skip_parse(text, text) IS
    'Reads the arguments of the action skip: there are none.';

CREATE FUNCTION @extschema@._action_skip(fault @extschema@._fault, failpoint text, hit bigint,
                                         arguments jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT '{"skip": true}'::jsonb;
$function$;
COMMENT ON FUNCTION @extschema@._action_skip(@extschema@._fault, text, bigint, jsonb) IS
    'Tells the before-row trigger to drop the row.';
--
-- terminate: the session ends, 57P01.
--
CREATE FUNCTION @extschema@._action_terminate_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('terminate', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_terminate_parse(text, text) IS
    'Reads the arguments of the action terminate: there are none.';

CREATE FUNCTION @extschema@._action_terminate(fault @extschema@._fault, failpoint text, hit bigint,
                                              arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    -- The signal is heeded at the next interrupt check, at the latest in here.
    PERFORM pg_sleep(10);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_terminate(@extschema@._fault, text, bigint, jsonb) IS
    'Ends the session that passes the failpoint.';
--
-- wait: stops there until wake(), disarm() or expiry.
--
CREATE FUNCTION @extschema@._action_wait_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('wait', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_wait_parse(text, text) IS
    'Reads the arguments of the action wait: there are none.';

CREATE FUNCTION @extschema@._action_wait(fault @extschema@._fault, failpoint text, hit bigint,
                                         arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- The shared advisory locks show wake() who waits where, even for a fault
    -- that it cannot see yet.  They go with the subtransaction, whether the wait
    -- ends in a release, a cancellation or the death of the session.
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(hashtext('pggit_chaos fault'),
                                             fault.fault_id::integer),
                pg_advisory_xact_lock_shared(hashtext('pggit_chaos wait'), hashtext(fault.failpoint));
        WHILE @extschema@._released(fault.slot) < (fault.fault_id << 32) + hit
              AND clock_timestamp() < fault.expires_at LOOP
            PERFORM pg_sleep(0.002);
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'PC998', MESSAGE = 'the way back';
    EXCEPTION WHEN SQLSTATE 'PC998' THEN
        RETURN NULL;
    END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_wait(@extschema@._fault, text, bigint, jsonb) IS
    'Waits until the fault is woken, is disarmed or expires.';
--
-- arm(failpoint, term, scope, start_hit, end_hit, seed, expires)
--
-- Arms one fault and answers its id.  A * in the failpoint matches any run of
-- characters; the hits of all that match are counted together.  The hit window
-- start_hit to end_hit counts from 1.  Other sessions learn of it when the
-- transaction commits.  Writes: _fault, the sequences of a slot; for scope
-- session the setting pggit_chaos.armed, for the others what _share_faults()
-- writes.  Locks: none beyond the row and what _share_faults() locks.  Undone by
-- disarm(), by rollback, by expiry, by the end of the session that it is bound
-- to, and by a crash or restart of the server.
--
CREATE FUNCTION @extschema@.arm(failpoint text, term text DEFAULT 'error',
                                scope text DEFAULT 'session', start_hit bigint DEFAULT 1,
                                end_hit bigint DEFAULT NULL, seed bigint DEFAULT 0,
                                expires interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(term, 'term');
    PERFORM @extschema@._require_value(scope, 'scope');
    PERFORM @extschema@._require_value(start_hit, 'start_hit');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_value(expires, 'expires');
    PERFORM @extschema@._require_window(start_hit, end_hit, expires);
    v_failpoint := @extschema@._resolve_failpoint(failpoint);
    RETURN @extschema@._arm(v_failpoint, term, scope, start_hit, end_hit, seed, expires);
END;
$function$;
COMMENT ON FUNCTION @extschema@.arm(text, text, text, bigint, bigint, bigint, interval) IS
    'Arms a fault at a failpoint and answers its id.';

CREATE FUNCTION @extschema@._require_window(start_hit bigint, end_hit bigint, expires interval)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF start_hit < 1 THEN
        RAISE EXCEPTION 'start_hit must be at least 1, not %', start_hit
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF end_hit < start_hit THEN
        RAISE EXCEPTION 'end_hit % lies before start_hit %', end_hit, start_hit
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF expires <= '0'::interval OR expires > '1 day'::interval THEN
        RAISE EXCEPTION 'expires must be more than zero and at most one day, not %', expires
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Every fault expires, so that a lost driver leaves nobody waiting.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_window(bigint, bigint, interval) IS
    'Raises 22023 for a hit window or an expiry that cannot be.';

--
-- _arm(failpoint, term, scope, start_hit, end_hit, seed, expires)
--
-- As arm(), for a failpoint that is known to exist.
--
CREATE FUNCTION @extschema@._arm(failpoint text, term text, scope text DEFAULT 'session',
                                 start_hit bigint DEFAULT 1, end_hit bigint DEFAULT NULL,
                                 seed bigint DEFAULT 0, expires interval DEFAULT '1 hour')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fault jsonb;
BEGIN
    PERFORM @extschema@._forget_dead_faults();
    SELECT @extschema@._insert_fault(jsonb_build_object(
               'failpoint', failpoint,
               'pattern', @extschema@._failpoint_pattern(failpoint),
               'term', term,
               'program', @extschema@._parse_term(term, failpoint),
               'scope', scope,
               'pid', s.pid,
               'backend_start', s.backend_start,
               'database', @extschema@._database(),
               'incarnation', @extschema@._incarnation(),
               'start_hit', start_hit,
               'end_hit', end_hit,
               'seed', seed,
               'armed_at', n.now,
               'expires_at', n.now + expires,
               'armed_by', session_user))
      INTO v_fault
      FROM @extschema@._parse_scope(scope) AS s
     CROSS JOIN clock_timestamp() AS n(now);
    IF scope = 'session' THEN
        PERFORM @extschema@._show_own_faults();
    ELSE
        PERFORM @extschema@._require_replica_role();
        PERFORM @extschema@._share_faults(add => jsonb_build_array(v_fault));
    END IF;
    RETURN (v_fault -> 'fault_id')::bigint;
END;
$function$;
COMMENT ON FUNCTION @extschema@._arm(text, text, text, bigint, bigint, bigint, interval) IS
    'Arms a fault at a failpoint that is known to exist and answers its id.';

--
-- _show_own_faults()
--
-- Puts the patterns of this session's own faults, one a line, where the hit path
-- looks.  A name may hold a line break itself: let that match any character.
--
CREATE FUNCTION @extschema@._show_own_faults()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM set_config('pggit_chaos.armed',
                       COALESCE((SELECT string_agg(replace(f.pattern, E'\n', '_'), E'\n')
                                   FROM @extschema@._fault AS f
                                  WHERE f.scope = 'session'
                                    AND f.pid = pg_backend_pid()), ''),
                       false);
END;
$function$;
COMMENT ON FUNCTION @extschema@._show_own_faults() IS
    'Tells the hit path at which failpoints this session has armed faults of its own.';

--
-- _insert_fault(fault)
--
-- Gives a fault, a row of _fault as JSON, an id and a slot, and sets the sequences
-- of the slot.  A slot that looks free can belong to a fault that this transaction
-- does not see; it is not worth waiting for that one's transaction to end.
--
CREATE FUNCTION @extschema@._insert_fault(fault jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1ms'
AS $function$
DECLARE
    v_id   bigint;
    v_slot integer;
BEGIN
    FOR v_attempt IN 1 .. 64 LOOP
        v_id := nextval('@extschema@._fault_id');
        v_slot := v_id % 64;
        CONTINUE WHEN EXISTS (SELECT FROM @extschema@._fault AS f WHERE f.slot = v_slot);
        fault := fault || jsonb_build_object('fault_id', v_id, 'slot', v_slot);
        BEGIN
            INSERT INTO @extschema@._fault
            SELECT r.* FROM jsonb_populate_record(NULL::@extschema@._fault, fault) AS r;
        EXCEPTION WHEN unique_violation OR lock_not_available THEN
            CONTINUE;
        END;
        PERFORM setval(@extschema@._counter(v_slot, 'hits'), 0, true),
                setval(@extschema@._counter(v_slot, 'fired'), 0, true),
                setval(@extschema@._counter(v_slot, 'released'), v_id << 32, true);
        RETURN fault;
    END LOOP;
    RAISE EXCEPTION 'no more than 64 faults can be armed at a time'
        USING ERRCODE = 'PC006',
              HINT = 'SELECT pggit_chaos.disarm_all();';
END;
$function$;
COMMENT ON FUNCTION @extschema@._insert_fault(jsonb) IS
    'Stores a fault, given as a row of _fault, under an id and in a free slot.';

--
-- _resolve_failpoint(failpoint)
--
-- The full name of a failpoint; a pattern as it is.  A function may go without
-- its argument list where it is the only one of its name.  Raises PC003 where no
-- hooks are installed, 42704 for an unknown name, 42725 for an ambiguous one.
--
CREATE FUNCTION @extschema@._resolve_failpoint(failpoint text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_pattern text := @extschema@._failpoint_pattern(failpoint);
    v_all     text[];
    v_found   text[];
BEGIN
    PERFORM @extschema@._require_hooks();
    v_all := ARRAY(SELECT f.failpoint FROM @extschema@._failpoints() AS f);
    v_found := ARRAY(
        SELECT f.name
          FROM unnest(v_all) AS f(name)
         WHERE f.name = failpoint
            OR f.name LIKE v_pattern
            OR split_part(f.name, '(', 1) = failpoint
         ORDER BY f.name);
    IF cardinality(v_found) = 0 THEN
        RAISE EXCEPTION 'failpoint "%" does not exist', failpoint
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: ' || @extschema@._near(failpoint, v_all) || '.',
                                    'No failpoint is named like it.'),
                  HINT = 'SELECT failpoint FROM pggit_chaos.failpoint;';
    ELSIF strpos(failpoint, '*') > 0 OR failpoint = ANY (v_found) THEN
        RETURN failpoint;
    ELSIF cardinality(v_found) > 1 THEN
        RAISE EXCEPTION 'failpoint "%" is not unique', failpoint
            USING ERRCODE = 'ambiguous_function',
                  DETAIL = format('There are %s.', array_to_string(v_found, ', ')),
                  HINT = 'Name its argument types.';
    END IF;
    RETURN v_found[1];
END;
$function$;
COMMENT ON FUNCTION @extschema@._resolve_failpoint(text) IS
    'Completes the name of a failpoint, or raises where it does not exist.';

CREATE FUNCTION @extschema@._failpoint_pattern(failpoint text)
RETURNS text
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT replace(regexp_replace(failpoint, '([\\%_])', '\\\1', 'g'), '*', '%');
$function$;
COMMENT ON FUNCTION @extschema@._failpoint_pattern(text) IS
    'Turns a failpoint in which * matches any run of characters into a pattern for LIKE.';

CREATE FUNCTION @extschema@._require_hooks()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@._hooks()) THEN
        RAISE EXCEPTION 'no hooks are installed in database "%"', current_database()
            USING ERRCODE = 'PC003',
                  HINT = 'SELECT * FROM pggit_chaos.install_hooks();';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_hooks() IS
    'Raises PC003 where no hooks are installed.';
--
-- disarm(fault_id), disarm_all(everything)
--
-- Remove one fault, or every fault of every session.  Answer whether there was
-- one, and how many.  With everything all else that was done to pgGit ends too:
-- lock holds are released, corruptions healed, hooks taken out; each is counted.
-- A session that waits in one goes on.  They hold at once and for every session,
-- even if this transaction rolls back; they ask for no opt-in: ending a fault is
-- always allowed.  Write: _fault, the sequence "released", the
-- setting pggit_chaos.armed of this session, what _share_faults() writes.
-- Locks: what _share_faults() locks.
--
CREATE FUNCTION @extschema@.disarm(fault_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_value(fault_id, 'fault_id');
    RETURN @extschema@._disarm(ARRAY[fault_id]) > 0;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm(bigint) IS
    'Removes one fault and answers whether it was there.';

CREATE FUNCTION @extschema@.disarm_all(everything boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_count integer;
BEGIN
    PERFORM @extschema@._require_value(everything, 'everything');
    v_count := @extschema@._disarm(ARRAY(SELECT f.fault_id FROM @extschema@._known_faults() AS f));
    IF everything THEN
        v_count := v_count
                   + (SELECT count(*) FROM @extschema@._lock_holds() AS h
                       WHERE @extschema@.release_lock(h.hold_id))::integer
                   + @extschema@.heal_all()
                   + (SELECT sum(u.removed) FROM @extschema@.uninstall_hooks() AS u)::integer;
    END IF;
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm_all(boolean) IS
    'Removes every fault of every session, with everything also lock holds, corruptions and hooks, and counts them.';

--
-- _disarm(fault_ids)
--
-- Marks the faults as disarmed first, for everybody to see, and tidies up then.
-- A row that another transaction is removing is left to it, and not waited for.
--
CREATE FUNCTION @extschema@._disarm(fault_ids bigint[])
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_shared boolean;
    v_count  integer;
BEGIN
    PERFORM @extschema@._mark_disarmed(f.fault_id, f.slot)
       FROM @extschema@._known_faults() AS f
      WHERE f.fault_id = ANY (fault_ids);
    v_shared := EXISTS (
        SELECT
          FROM jsonb_array_elements(@extschema@._shared_faults()) AS f(fault)
         WHERE (f.fault ->> 'fault_id')::bigint = ANY (fault_ids));
    DELETE FROM @extschema@._fault AS d
     WHERE d.fault_id IN (
           SELECT f.fault_id
             FROM @extschema@._fault AS f
            WHERE f.fault_id = ANY (fault_ids)
              FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_shared THEN
        PERFORM @extschema@._share_faults(drop => fault_ids);
    END IF;
    PERFORM @extschema@._show_own_faults() WHERE current_setting('pggit_chaos.armed', true) <> '';
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@._disarm(bigint[]) IS
    'Removes faults and lets the hit path rest where nothing is armed any more.';

--
-- _forget_dead_faults()
--
-- Removes the rows of faults that can strike no more.  Passes over those that
-- another session is removing.
--
CREATE FUNCTION @extschema@._forget_dead_faults()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    DELETE FROM @extschema@._fault AS d
     WHERE d.fault_id IN (
           SELECT f.fault_id
             FROM @extschema@._fault AS f
            WHERE NOT @extschema@._can_strike(f)
              FOR UPDATE SKIP LOCKED);
$function$;
COMMENT ON FUNCTION @extschema@._forget_dead_faults() IS
    'Removes the faults that can strike no more.';

CREATE FUNCTION @extschema@._is_alive(pid integer, backend_start timestamptz)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (SELECT
                     FROM pg_catalog.pg_stat_get_activity(_is_alive.pid) AS a
                    WHERE a.backend_start = _is_alive.backend_start);
$function$;
COMMENT ON FUNCTION @extschema@._is_alive(integer, timestamptz) IS
    'Answers whether a session, told by its process id and its start, still lives.';
--
-- fault
--
-- The faults that are armed, their counters and what has become of them.
--
CREATE FUNCTION @extschema@._faults()
RETURNS TABLE (fault_id bigint, failpoint text, term text, scope text, state text, hits bigint,
               fired bigint, armed_at timestamptz, expires_at timestamptz, armed_by name)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.fault_id, f.failpoint, f.term, f.scope,
           CASE WHEN NOT @extschema@._can_strike(f) THEN 'expired'
                WHEN c.hits >= f.end_hit
                     OR (c.hits >= f.start_hit
                         AND (SELECT s.completed
                                FROM @extschema@._step_at(f.program, f.seed, f.failpoint,
                                                          c.hits - f.start_hit + 1) AS s))
                     THEN 'completed'
                ELSE 'armed'
           END,
           c.hits, c.fired, f.armed_at, f.expires_at, f.armed_by
      FROM @extschema@._fault AS f
     CROSS JOIN LATERAL (
           SELECT COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'hits')), 0),
                  COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'fired')), 0)
           ) AS c(hits, fired);
$function$;
COMMENT ON FUNCTION @extschema@._faults() IS
    'Lists the faults with their counters and states.';

CREATE VIEW @extschema@.fault AS
SELECT f.fault_id, f.failpoint, f.term, f.scope, f.state, f.hits, f.fired, f.armed_at,
       f.expires_at, f.armed_by
  FROM @extschema@._faults() AS f;
COMMENT ON VIEW @extschema@.fault IS
    'The faults: armed, completed (nothing is left to strike) or expired, with hits and fired.';

--
-- failpoint
--
-- Every failpoint, with the hits that the faults armed at it have counted.
--
CREATE VIEW @extschema@.failpoint AS
SELECT p.failpoint, p.kind, p.object, p.phase,
       COALESCE((SELECT sum(f.hits) FROM @extschema@._faults() AS f
                  WHERE f.failpoint = p.failpoint), 0)::bigint AS hits
  FROM @extschema@._failpoints() AS p;
COMMENT ON VIEW @extschema@.failpoint IS
    'The failpoints of the hooks in place, with the hits that the faults armed at each have counted.';
--
-- _parse_term(term, failpoint)
--
-- Reads a term, [P%][N*]action[(arguments)] chained by ->, the grammar of
-- FreeBSD's fail(9), into its program: one element a step, with probability (0
-- to 1), count, action and the arguments as the action's own parser left them.
-- Raises 42601 with the position where the term goes wrong.  Writes: nothing.
-- Calls: _action_NAME_parse.
--
CREATE FUNCTION @extschema@._parse_term(term text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_program   jsonb := '[]';
    v_position  integer := 1;
    v_match     text[];
    v_arguments text;
BEGIN
    LOOP
        -- The match: blanks, probability, count, action, opening parenthesis.
        v_match := regexp_match(substr(term, v_position),
                                '^(\s*)(?:(\d+(?:\.\d+)?)%)?\s*(?:(\d+)\*)?\s*([a-z_]+)\s*(\(?)');
        IF v_match IS NULL THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'An action is expected here: [P%][N*]action[(arguments)].');
        END IF;
        IF v_match[2]::numeric > 100 THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'A probability is at most 100%.');
        END IF;
        PERFORM @extschema@._require_action(term, v_match[4], v_position);
        v_position := v_position
                      + length((regexp_match(substr(term, v_position),
                                '^\s*(?:\d+(?:\.\d+)?%)?\s*(?:\d+\*)?\s*[a-z_]+\s*'))[1]);
        v_arguments := NULL;
        IF v_match[5] = '(' THEN
            v_arguments := @extschema@._arguments_at(term, v_position);
            v_position := v_position + length(v_arguments) + 2;
        END IF;
        v_program := v_program || jsonb_build_object(
            'probability', v_match[2]::numeric / 100,
            'count', v_match[3]::bigint,
            'action', v_match[4],
            'arguments', @extschema@._parse_arguments(v_match[4], v_arguments, failpoint));
        EXIT WHEN substr(term, v_position) ~ '^\s*$';
        v_match := regexp_match(substr(term, v_position), '^(\s*->)');
        IF v_match IS NULL THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'Steps are chained by "->".');
        END IF;
        v_position := v_position + length(v_match[1]);
    END LOOP;
    RETURN v_program;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_term(text, text) IS
    'Reads a term into its program, a JSON array with one element a step.';

CREATE FUNCTION @extschema@._malformed_term(term text, at_position integer, expected text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'malformed term "%" at position %', term, at_position
        USING ERRCODE = 'syntax_error',
              DETAIL = expected,
              HINT = 'Examples: error(40001), 2*off->1*error, 10%delay(50), skip.';
END;
$function$;
COMMENT ON FUNCTION @extschema@._malformed_term(text, integer, text) IS
    'Raises 42601 for a term, with the position and what was expected there.';

--
-- _arguments_at(term, at_position)
--
-- The text between the parenthesis at a position and the one that closes it;
-- parentheses inside it are balanced, and those in double quotes do not count.
--
CREATE FUNCTION @extschema@._arguments_at(term text, at_position integer)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_depth  integer := 0;
    v_quoted boolean := false;
    v_i      integer;
BEGIN
    FOR v_i IN at_position .. length(term) LOOP
        CASE substr(term, v_i, 1)
            WHEN '"' THEN v_quoted := NOT v_quoted OR substr(term, v_i - 1, 1) = '\';
            WHEN '(' THEN v_depth := v_depth + (NOT v_quoted)::integer;
            WHEN ')' THEN v_depth := v_depth - (NOT v_quoted)::integer;
            ELSE NULL;
        END CASE;
        IF v_depth = 0 THEN
            RETURN substr(term, at_position + 1, v_i - at_position - 1);
        END IF;
    END LOOP;
    PERFORM @extschema@._malformed_term(term, at_position, 'This parenthesis is never closed.');
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._arguments_at(text, integer) IS
    'Returns the text in the parentheses that open at a position of a term.';

--
-- _actions(), _require_action(term, action, at_position), _parse_arguments(...)
--
-- An action is a file under sql/45_faults/actions/, with a function that reads
-- its arguments, _action_NAME_parse, and one that strikes, _action_NAME.
--
CREATE FUNCTION @extschema@._actions()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT array_agg(substring(p.proname FROM '^_action_(.*)_parse$')
                     ORDER BY p.proname)
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = '@extschema@'::regnamespace
       AND p.proname ~ '^_action_.*_parse$';
$function$;
COMMENT ON FUNCTION @extschema@._actions() IS 'Names the actions that a term may hold.';

CREATE FUNCTION @extschema@._require_action(term text, action text, at_position integer)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF action <> ALL (@extschema@._actions()) THEN
        PERFORM @extschema@._malformed_term(
            term, at_position,
            format('There is no action "%s"; there are %s.', action,
                   array_to_string(@extschema@._actions(), ', ')));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_action(text, text, integer) IS
    'Raises 42601 where a term names an action that does not exist.';

CREATE FUNCTION @extschema@._parse_arguments(action text, arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_parsed jsonb;
BEGIN
    EXECUTE format('SELECT @extschema@.%I($1, $2)', '_action_' || action || '_parse')
       INTO v_parsed
      USING arguments, failpoint;
    RETURN v_parsed;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_arguments(text, text, text) IS
    'Lets an action read its own arguments.';
--
-- The sequence "released" of a slot
--
-- wake() and disarm() must reach a session that is in the middle of a
-- transaction, whatever its snapshot, and must hold even if the transaction that
-- called them rolls back.  So they move a sequence.  For fault F it starts at
-- F * 2^32; wake() adds the hits that were counted so far, and so releases who was
-- counted and has not begun to wait yet; disarm() sets it to the end of F's range.
-- Ids only grow, and so the value also tells when the slot went to a later fault.
--
-- _released(slot), _release_hits(fault_id, slot), _is_disarmed(fault_id, slot),
-- _mark_disarmed(fault_id, slot)
--
CREATE FUNCTION @extschema@._released(slot integer)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(pg_sequence_last_value(@extschema@._counter(slot, 'released')), 0);
$function$;
COMMENT ON FUNCTION @extschema@._released(integer) IS
    'Reads how far the fault in a slot has been woken or disarmed.';

CREATE FUNCTION @extschema@._release_hits(fault_id bigint, slot integer)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(@extschema@._counter(slot, 'released'), h.reached, true)
      FROM (SELECT (fault_id << 32)
                   + COALESCE(pg_sequence_last_value(@extschema@._counter(slot, 'hits')), 0)
                   AS reached) AS h
     WHERE @extschema@._released(slot) >= fault_id << 32
       AND @extschema@._released(slot) < h.reached;
$function$;
COMMENT ON FUNCTION @extschema@._release_hits(bigint, integer) IS
    'Releases every hit that a fault has counted so far.';

CREATE FUNCTION @extschema@._is_disarmed(fault_id bigint, slot integer)
RETURNS boolean
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT @extschema@._released(slot) >= ((fault_id + 1) << 32) - 1;
$function$;
COMMENT ON FUNCTION @extschema@._is_disarmed(bigint, integer) IS
    'Answers whether a fault was disarmed, even by a transaction that this one cannot see.';

CREATE FUNCTION @extschema@._mark_disarmed(fault_id bigint, slot integer)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(@extschema@._counter(slot, 'released'), ((fault_id + 1) << 32) - 1, true)
     WHERE @extschema@._released(slot) < ((fault_id + 1) << 32) - 1;
$function$;
COMMENT ON FUNCTION @extschema@._mark_disarmed(bigint, integer) IS
    'Disarms a fault at once and for every session, whatever becomes of this transaction.';
--
-- _parse_scope(scope), _scope_covers(fault)
--
-- Which sessions a fault strikes in: session (the one that arms it), database,
-- pid:N, role:NAME, application:NAME.  _parse_scope answers the session that the
-- fault is bound to and ends with, if there is one; it raises 22023 for a scope
-- that is none, and 42704 where there is no such session or role.  Write nothing.
--
CREATE FUNCTION @extschema@._parse_scope(scope text, OUT pid integer,
                                         OUT backend_start timestamptz)
RETURNS record
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_match text[] := regexp_match(scope, '^(session|database|pid:(\d{1,9})|role:(.+)|application:(.+))$');
    v_pid   integer := CASE WHEN scope = 'session' THEN pg_backend_pid()
                            ELSE v_match[2]::integer END;
BEGIN
    IF v_match IS NULL THEN
        RAISE EXCEPTION 'invalid scope "%"', scope
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A scope is session, database, pid:N, role:NAME or application:NAME.';
    ELSIF v_pid IS NOT NULL THEN
        -- What this transaction has seen before may be older than the session.
        PERFORM pg_stat_clear_snapshot();
        SELECT a.pid, a.backend_start INTO pid, backend_start
          FROM pg_catalog.pg_stat_activity AS a
         WHERE a.pid = v_pid
           AND a.datname = current_database();
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no session % in database "%"', v_pid, current_database()
                USING ERRCODE = 'undefined_object',
                      HINT = 'SELECT pid, usename, application_name FROM pg_stat_activity;';
        END IF;
    ELSIF v_match[3] IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = v_match[3]) THEN
        RAISE EXCEPTION 'role "%" does not exist', v_match[3]
            USING ERRCODE = 'undefined_object';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_scope(text) IS
    'Checks a scope and finds the session that a fault of it is bound to.';

CREATE FUNCTION @extschema@._scope_covers(fault @extschema@._fault)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE split_part(fault.scope, ':', 1)
               WHEN 'database' THEN true
               WHEN 'role' THEN substr(fault.scope, 6) = session_user
               WHEN 'application'
                   THEN substr(fault.scope, 13) = current_setting('application_name')
               ELSE fault.pid = pg_backend_pid()
           END;
$function$;
COMMENT ON FUNCTION @extschema@._scope_covers(@extschema@._fault) IS
    'Answers whether this session is one that a fault strikes in.';
--
-- _share_faults(add, drop)
--
-- Adds a fault to the shared ones or drops some; those that cannot strike any
-- more go too.  Writes: _shared_faults() and both _armed_for_others(), see
-- 20_tables/shared_fault.sql.  Locks: an advisory lock until
-- the end of the transaction, so that two sessions do not replace them at once.
-- pgGit does not get to see the DDL.
--
CREATE FUNCTION @extschema@._share_faults(add jsonb DEFAULT '[]', drop bigint[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $function$
DECLARE
    v_faults jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pggit_chaos'), hashtext('_share_faults'));
    SELECT COALESCE(jsonb_agg(f.fault ORDER BY f.fault -> 'fault_id'), '[]') INTO v_faults
      FROM jsonb_array_elements(@extschema@._shared_faults() || add) AS f(fault)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::@extschema@._fault, f.fault) AS r
     WHERE r.fault_id <> ALL (drop)
       AND @extschema@._can_strike(r);
    IF v_faults <> @extschema@._shared_faults() THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._shared_faults() RETURNS jsonb '
                       'LANGUAGE sql STABLE RETURN %L::jsonb', v_faults);
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._armed_for_others() RETURNS boolean '
                       'LANGUAGE sql STABLE RETURN %L::boolean', v_faults <> '[]');
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._armed_for_others(failpoint text) '
                       'RETURNS boolean LANGUAGE sql STABLE RETURN %s',
                       @extschema@._shared_condition(v_faults));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._share_faults(jsonb, bigint[]) IS
    'Tells every session which faults are armed for it.';

--
-- _shared_condition(faults), _scope_condition(fault)
--
-- The same question as _scope_covers() asks, as an expression over failpoint that
-- the planner can inline.  It goes no further than failpoint and scope: the rest
-- is for _armed_at().
--
CREATE FUNCTION @extschema@._shared_condition(faults jsonb)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(string_agg(format('failpoint LIKE %L', f.pattern)
                               || @extschema@._scope_condition(f), ' OR '), 'false')
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, faults) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._shared_condition(jsonb) IS
    'Writes the condition under which one of the shared faults may strike in a session.';

CREATE FUNCTION @extschema@._scope_condition(fault @extschema@._fault)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE split_part(fault.scope, ':', 1)
               WHEN 'database' THEN ''
               WHEN 'role' THEN format(' AND session_user = %L', substr(fault.scope, 6))
               WHEN 'application'
                   THEN format(' AND current_setting(''application_name'') = %L',
                               substr(fault.scope, 13))
               ELSE format(' AND pg_backend_pid() = %s', fault.pid)
           END;
$function$;
COMMENT ON FUNCTION @extschema@._scope_condition(@extschema@._fault) IS
    'Writes the condition under which a session is one that a shared fault strikes in.';

--
-- _known_faults()
--
-- What may have to be disarmed or woken: the faults that this transaction sees,
-- and the shared ones, which strike whether it sees their rows or not.
--
CREATE FUNCTION @extschema@._known_faults()
RETURNS SETOF @extschema@._fault
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.* FROM @extschema@._fault AS f
     UNION
    SELECT f.*
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, @extschema@._shared_faults()) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._known_faults() IS
    'Lists the faults that this transaction sees and those that are shared.';

--
-- _can_strike(fault), _incarnation(), _database()
--
-- Whether a fault can still strike: it is not disarmed, not expired, its session
-- lives, and database and server are those that it was armed on.  A crash takes every
-- session but not the rows of _fault; the checkpointer is new after it, and its
-- start is what tells one incarnation of the server from the next.
--
CREATE FUNCTION @extschema@._can_strike(fault @extschema@._fault)
RETURNS boolean
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT fault.expires_at > clock_timestamp()
           AND NOT @extschema@._is_disarmed(fault.fault_id, fault.slot)
           AND fault.database = @extschema@._database()
           AND fault.incarnation = @extschema@._incarnation()
           AND (fault.pid IS NULL OR @extschema@._is_alive(fault.pid, fault.backend_start));
$function$;
COMMENT ON FUNCTION @extschema@._can_strike(@extschema@._fault) IS
    'Answers whether a fault can still strike.';

CREATE FUNCTION @extschema@._incarnation()
RETURNS timestamptz
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE((SELECT a.backend_start
                       FROM pg_catalog.pg_stat_activity AS a
                      WHERE a.backend_type = 'checkpointer'),
                    pg_postmaster_start_time());
$function$;
COMMENT ON FUNCTION @extschema@._incarnation() IS
    'Tells this run of the server from those before a crash or a restart.';

CREATE FUNCTION @extschema@._database()
RETURNS oid
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database();
$function$;
COMMENT ON FUNCTION @extschema@._database() IS
    'Tells this database from its copies.';
--
-- _step_at(program, seed, failpoint, nth)
--
-- Which step of a program is due at the nth hit of a fault's window (NULL where
-- none is), and whether the program is completed: nothing but "off" can come
-- after this hit.  A pure function of its arguments: there is no state that a
-- rollback could undo or another session could see too late.  At each hit the
-- steps are tried in order; one is passed over when its count is used up, or
-- when its probability says no.  Writes: nothing.
--
CREATE FUNCTION @extschema@._step_at(program jsonb, seed bigint, failpoint text, nth bigint,
                                     OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF program @? '$[*] ? (@.probability != null)' THEN
        SELECT d.step, d.completed INTO step, completed
          FROM @extschema@._step_drawn(program, seed, failpoint, nth) AS d;
    ELSE
        SELECT c.step, c.completed INTO step, completed
          FROM @extschema@._step_counted(program, nth) AS c;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._step_at(jsonb, bigint, text, bigint) IS
    'Finds the step of a program that is due at the nth hit, and whether the program is completed.';

CREATE FUNCTION @extschema@._step_counted(program jsonb, nth bigint,
                                          OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A step without a count lasts for ever: it ends at infinity.
    SELECT (array_agg(s.step ORDER BY s.i) FILTER (WHERE s.ends_at >= nth))[1],
           COALESCE(max(s.ends_at) FILTER (WHERE s.reached AND s.step ->> 'action' <> 'off'), 0)
               <= nth
      FROM (SELECT p.step, p.i,
                   sum(COALESCE((p.step ->> 'count')::float8, 'infinity')) OVER w AS ends_at,
                   COALESCE(sum(COALESCE((p.step ->> 'count')::float8, 'infinity'))
                                OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
                       < 'infinity' AS reached
              FROM jsonb_array_elements(program) WITH ORDINALITY AS p(step, i)
            WINDOW w AS (ORDER BY p.i)) AS s;
$function$;
COMMENT ON FUNCTION @extschema@._step_counted(jsonb, bigint) IS
    'As _step_at, for a program without probabilities: the counts say it at once.';

CREATE FUNCTION @extschema@._step_drawn(program jsonb, seed bigint, failpoint text, nth bigint,
                                        OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_left bigint[];    -- of each count; NULL: without end
    v_step jsonb;
    v_hit  bigint;
    v_i    integer;
BEGIN
    SELECT array_agg((p.step ->> 'count')::bigint ORDER BY p.i) INTO v_left
      FROM jsonb_array_elements(program) WITH ORDINALITY AS p(step, i);
    -- The hits before this one decide how much of each count is left.
    FOR v_hit IN 1 .. nth LOOP
        step := NULL;
        FOR v_i IN 1 .. cardinality(v_left) LOOP
            v_step := program -> (v_i - 1);
            IF v_left[v_i] IS DISTINCT FROM 0
               AND @extschema@._draw(seed, failpoint, v_hit, v_i)
                   < COALESCE((v_step ->> 'probability')::float8, 1) THEN
                v_left[v_i] := v_left[v_i] - 1;
                step := v_step;
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    -- Behind a step that is always due and has no count, no other comes.
    completed := NOT EXISTS (
        SELECT
          FROM jsonb_array_elements(program) WITH ORDINALITY AS p(step, i)
         WHERE p.step ->> 'action' <> 'off'
           AND v_left[p.i] IS DISTINCT FROM 0
           AND p.i <= ALL (SELECT e.i
                             FROM jsonb_array_elements(program) WITH ORDINALITY AS e(step, i)
                            WHERE e.step ->> 'count' IS NULL
                              AND COALESCE((e.step ->> 'probability')::float8, 1) >= 1));
END;
$function$;
COMMENT ON FUNCTION @extschema@._step_drawn(jsonb, bigint, text, bigint) IS
    'As _step_at, for a program with probabilities: plays the hits up to the nth.';

--
-- _draw(seed, failpoint, nth, step)
--
-- A number in [0, 1) that depends on its arguments alone.
--
CREATE FUNCTION @extschema@._draw(seed bigint, failpoint text, nth bigint, step integer)
RETURNS float8
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT (hashtextextended(format('%s %s %s', nth, step, failpoint), seed)
            & ((1::bigint << 53) - 1))::float8 / (1::bigint << 53);
$function$;
COMMENT ON FUNCTION @extschema@._draw(bigint, text, bigint, integer) IS
    'Draws a number in [0, 1) from a seed, a failpoint, a hit and a step: always the same one.';
--
-- _strike(failpoint)
--
-- Passes a failpoint: counts the hit for each fault that is armed here for this
-- session, and lets the step that is due act.  The order of the tests is scope,
-- expiry, hit window, probability, count.  Answers what is to happen to the row
-- (NULL, {"skip": true} or {"mutate": {...}}), which only a before-row trigger
-- can heed.  Writes: the counters, which are sequences.
-- Calls: _action_NAME.  Runs as the extension's owner: see _hit_armed, _row_hook.
--
CREATE FUNCTION @extschema@._strike(failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fault   @extschema@._fault;
    v_hit     bigint;
    v_step    jsonb;
    v_verdict jsonb;
    v_result  jsonb;
BEGIN
    -- No counter can move in a read-only transaction, and so nothing strikes.
    IF current_setting('transaction_read_only') = 'on' THEN
        RETURN NULL;
    END IF;
    FOR v_fault IN SELECT a.* FROM @extschema@._armed_at(failpoint) AS a LOOP
        -- The one before it may have waited, and this one be over since.
        CONTINUE WHEN v_hit IS NOT NULL AND NOT @extschema@._can_strike(v_fault);
        v_hit := nextval(@extschema@._counter(v_fault.slot, 'hits'));
        CONTINUE WHEN v_hit < v_fault.start_hit OR v_hit > v_fault.end_hit;
        SELECT s.step INTO v_step
          FROM @extschema@._step_at(v_fault.program, v_fault.seed, v_fault.failpoint,
                                    v_hit - v_fault.start_hit + 1) AS s;
        CONTINUE WHEN COALESCE(v_step ->> 'action', 'off') = 'off';
        PERFORM nextval(@extschema@._counter(v_fault.slot, 'fired'));
        EXECUTE format('SELECT @extschema@.%I($1, $2, $3, $4)', '_action_' || (v_step ->> 'action'))
           INTO v_verdict
          USING v_fault, failpoint, v_hit, v_step -> 'arguments';
        v_result := COALESCE(v_result || v_verdict, v_verdict, v_result);
    END LOOP;
    RETURN v_result;
END;
$function$;
COMMENT ON FUNCTION @extschema@._strike(text) IS
    'Counts a hit for each fault armed at a failpoint and lets the due steps act.';

--
-- _armed_at(failpoint)
--
-- The faults that are armed at a failpoint for this session, in the order of
-- their arming: its own, which it sees itself, and the shared ones.  Who has armed
-- none does not read the table: a serializable transaction would depend on it.
--
CREATE FUNCTION @extschema@._armed_at(failpoint text)
RETURNS SETOF @extschema@._fault
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.*
      FROM @extschema@._fault AS f
     WHERE current_setting('pggit_chaos.armed', true) <> ''
       AND f.scope = 'session'
       AND f.pid = pg_backend_pid()
       AND _armed_at.failpoint LIKE f.pattern
       AND f.expires_at > clock_timestamp()
       AND NOT @extschema@._is_disarmed(f.fault_id, f.slot)
       -- A process id is used again.
       AND @extschema@._is_alive(f.pid, f.backend_start)
     UNION ALL
    SELECT f.*
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, @extschema@._shared_faults()) AS f
     WHERE @extschema@._scope_covers(f)
       AND _armed_at.failpoint LIKE f.pattern
       AND @extschema@._can_strike(f)
     ORDER BY 1;
$function$;
COMMENT ON FUNCTION @extschema@._armed_at(text) IS
    'Lists the faults that are armed at a failpoint for this session.';

--
-- _counter(slot, name)
--
-- One of the three sequences of a slot: hits, fired or released.
--
CREATE FUNCTION @extschema@._counter(slot integer, name text)
RETURNS regclass
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format('@extschema@._slot_%s_%s', slot, name)::regclass;
$function$;
COMMENT ON FUNCTION @extschema@._counter(integer, text) IS
    'Names one of the sequences of a slot.';
--
-- wake(failpoint, disarm)
--
-- Releases the sessions that wait in the faults armed at a failpoint, and answers
-- how many there were.  A session whose hit is counted and that is about to wait
-- is released, too.  With disarm the faults are disarmed first, and so no session
-- can begin to wait in between.  Holds at once, whatever becomes of this
-- transaction.  Asks for neither opt-in nor hooks: letting go is always allowed.
-- Writes: the sequence "released"; with disarm what disarm() writes.
--
CREATE FUNCTION @extschema@.wake(failpoint text, disarm boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
    v_waiting   integer;
    v_faults    bigint[];
BEGIN
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(disarm, 'disarm');
    v_failpoint := @extschema@._armed_failpoint(failpoint);
    PERFORM @extschema@._await_waiters(v_failpoint);
    SELECT count(DISTINCT w.pid), array_agg(w.fault_id)
      INTO v_waiting, v_faults
      FROM @extschema@._waiting(v_failpoint) AS w;
    -- A fault whose transaction is still open has no row yet, but has a waiter.
    v_faults := ARRAY(SELECT f.fault_id
                        FROM @extschema@._known_faults() AS f
                       WHERE f.failpoint = v_failpoint
                       UNION
                      SELECT unnest(v_faults));
    IF disarm THEN
        PERFORM @extschema@._mark_disarmed(f.id, (f.id % 64)::integer) FROM unnest(v_faults) AS f(id);
        PERFORM @extschema@._disarm(v_faults);
    ELSE
        PERFORM @extschema@._release_hits(f.id, (f.id % 64)::integer) FROM unnest(v_faults) AS f(id);
    END IF;
    RETURN v_waiting;
END;
$function$;
COMMENT ON FUNCTION @extschema@.wake(text, boolean) IS
    'Releases the sessions that wait at a failpoint, disarms it if asked to, and counts them.';

--
-- _armed_failpoint(failpoint)
--
-- The full name of a failpoint at which something is armed.  Hooks can have been
-- taken out, or replaced by an upgrade of pgGit, under a session that waits.
--
CREATE FUNCTION @extschema@._armed_failpoint(failpoint text)
RETURNS text
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN EXISTS (SELECT FROM @extschema@._known_faults() AS f
                              WHERE f.failpoint = _armed_failpoint.failpoint)
                     OR EXISTS (SELECT FROM @extschema@._waiting(failpoint))
                THEN failpoint
                ELSE @extschema@._resolve_failpoint(failpoint)
           END;
$function$;
COMMENT ON FUNCTION @extschema@._armed_failpoint(text) IS
    'Completes the name of a failpoint, which need not exist any more where a fault is armed there.';

--
-- _await_waiters(failpoint), _missing_waiters(failpoint)
--
-- Between the count of its hit and its wait a session takes a moment, and wake()
-- is to count it.  One that was cancelled or killed while it waited will not come,
-- and so this does not last.
--
CREATE FUNCTION @extschema@._await_waiters(failpoint text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_end CONSTANT timestamptz := clock_timestamp() + '50 milliseconds';
BEGIN
    WHILE @extschema@._missing_waiters(failpoint) > 0 AND clock_timestamp() < v_end LOOP
        PERFORM pg_sleep(0.001);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._await_waiters(text) IS
    'Gives the sessions that are about to wait at a failpoint the moment that they need.';

CREATE FUNCTION @extschema@._missing_waiters(failpoint text)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT (SELECT count(*)
              FROM @extschema@._known_faults() AS f
             CROSS JOIN LATERAL (
                   SELECT GREATEST(@extschema@._released(f.slot) - (f.fault_id << 32), 0),
                          COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'hits')), 0)
                   ) AS c(released, counted)
             CROSS JOIN LATERAL generate_series(
                   GREATEST(c.released + 1, f.start_hit, c.counted - 100),
                   LEAST(c.counted, f.end_hit)) AS h(hit)
             CROSS JOIN LATERAL @extschema@._step_at(f.program, f.seed, f.failpoint,
                                                     h.hit - f.start_hit + 1) AS s
             WHERE f.failpoint = _missing_waiters.failpoint
               AND s.step ->> 'action' = 'wait')
           - (SELECT count(*) FROM @extschema@._waiting(failpoint));
$function$;
COMMENT ON FUNCTION @extschema@._missing_waiters(text) IS
    'Counts the hits at a failpoint that are due to wait and that nobody waits for yet.';

--
-- _waiting(failpoint)
--
-- The sessions of this database that wait in a fault armed at a failpoint.
--
CREATE FUNCTION @extschema@._waiting(failpoint text)
RETURNS TABLE (pid integer, fault_id bigint)
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT w.pid, s.objid::bigint
      FROM pg_catalog.pg_locks AS w
      JOIN pg_catalog.pg_locks AS s ON s.pid = w.pid
     CROSS JOIN (SELECT @extschema@._database()) AS here(oid)
     WHERE w.locktype = 'advisory' AND w.objsubid = 2 AND w.database = here.oid
       AND w.classid::bigint = hashtext('pggit_chaos wait')::bigint & 4294967295
       AND w.objid::bigint = hashtext(failpoint)::bigint & 4294967295
       AND s.locktype = 'advisory' AND s.objsubid = 2 AND s.database = here.oid
       AND s.classid::bigint = hashtext('pggit_chaos fault')::bigint & 4294967295;
$function$;
COMMENT ON FUNCTION @extschema@._waiting(text) IS
    'Lists the sessions that wait at a failpoint, each with the id of its fault.';

--
-- wait_triggered(failpoint, hits, timeout)
--
-- Waits until the faults armed at a failpoint have counted so many hits, or until
-- a session waits there; answers whether that came about in time.  Call it with
-- the failpoint as it was given to arm().  Writes: nothing.
--
CREATE FUNCTION @extschema@.wait_triggered(failpoint text, hits bigint DEFAULT 1,
                                           timeout interval DEFAULT '10 seconds')
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
    v_end       timestamptz;
BEGIN
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(hits, 'hits');
    PERFORM @extschema@._require_value(timeout, 'timeout');
    v_failpoint := @extschema@._armed_failpoint(failpoint);
    v_end := clock_timestamp() + timeout;
    LOOP
        IF @extschema@._hits_at(v_failpoint) >= hits THEN
            RETURN true;
        ELSIF clock_timestamp() >= v_end THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(0.002);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.wait_triggered(text, bigint, interval) IS
    'Waits until the faults at a failpoint have counted so many hits; false where the time ran out.';

CREATE FUNCTION @extschema@._hits_at(failpoint text)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A fault that this transaction cannot see shows by whoever waits in it.
    SELECT GREATEST(
        (SELECT COALESCE(sum(COALESCE(pg_sequence_last_value(
                    @extschema@._counter(f.slot, 'hits')), 0)), 0)::bigint
           FROM @extschema@._known_faults() AS f
          WHERE f.failpoint = _hits_at.failpoint),
        (SELECT count(DISTINCT w.pid) FROM @extschema@._waiting(failpoint) AS w));
$function$;
COMMENT ON FUNCTION @extschema@._hits_at(text) IS
    'Sums the hits that the faults armed at a failpoint have counted.';
--
-- hold_lock(target, mode, duration)
--
-- Lets another session take a lock and keep it for a while, and answers the id of
-- the hold once the lock is there.  The target is a table; a table, WHERE and a
-- condition (row locks on the rows that it names); or advisory and one or two
-- keys.  The other session is a dblink connection to this database, as the same
-- role.  It lets go when the time is over, when this session ends, and on
-- release_lock(); not on rollback.  Raises 55P03 where the lock is not to be had
-- within two seconds, PC010 where no other session can be started.
-- Writes: nothing.  Locks: as asked for, by the other session.
-- Calls: _lock_statement, _open_holder.
--
CREATE SEQUENCE @extschema@._lock_hold_id;
COMMENT ON SEQUENCE @extschema@._lock_hold_id IS 'Numbers the lock holds.';

CREATE FUNCTION @extschema@.hold_lock(target text, mode text DEFAULT 'ACCESS EXCLUSIVE',
                                      duration interval DEFAULT '5 seconds')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_statement text;
    v_dblink    name;
    v_holder    text;
    v_id        bigint;
    v_locked    bigint;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(target, 'target');
    PERFORM @extschema@._require_value(mode, 'mode');
    PERFORM @extschema@._require_value(duration, 'duration');
    IF duration <= '0'::interval OR duration > '1 day'::interval THEN
        RAISE EXCEPTION 'duration must be more than zero and at most one day, not %', duration
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Every lock hold expires, so that a lost driver leaves nobody waiting.';
    END IF;
    v_statement := @extschema@._lock_statement(target, upper(mode));
    v_dblink := @extschema@._require_dblink();
    v_id := nextval('@extschema@._lock_hold_id');
    v_holder := @extschema@._open_holder(v_dblink, v_id);
    BEGIN
        EXECUTE format('SELECT %I.dblink_exec($1, $2)', v_dblink)
          USING v_holder, 'BEGIN; SET LOCAL lock_timeout = ''2s''';
        EXECUTE format('SELECT l.locked FROM %I.dblink($1, $2) AS l(locked bigint)', v_dblink)
           INTO v_locked
          USING v_holder, v_statement;
        IF v_locked = 0 THEN
            RAISE EXCEPTION 'there is no row to lock: "%"', target
                USING ERRCODE = 'no_data_found';
        END IF;
        -- The view lock_hold reads in the running statement what is held.
        EXECUTE format('SELECT %I.dblink_send_query($1, $2)', v_dblink)
          USING v_holder,
                format('/* pggit_chaos.hold_lock %s until %s: %s on %s */ SELECT pg_sleep(%s); ROLLBACK',
                       v_id, extract(epoch FROM clock_timestamp() + duration), upper(mode),
                       replace(replace(target, '/*', '/ *'), '*/', '* /'),
                       extract(epoch FROM duration));
        -- Nor is it there before that session has come so far.
        WHILE @extschema@._is_busy(v_dblink, v_holder)
              AND NOT EXISTS (SELECT FROM @extschema@._lock_holds() AS h
                               WHERE h.hold_id = v_id) LOOP
            PERFORM pg_sleep(0.001);
        END LOOP;
    -- Whatever went wrong: a dblink connection outlives a rollback.
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        EXECUTE format('SELECT %I.dblink_disconnect($1)', v_dblink) USING v_holder;
        RAISE;
    END;
    RETURN v_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@.hold_lock(text, text, interval) IS
    'Lets another session hold a lock for a while and answers the id of the hold.';

--
-- _lock_statement(target, mode)
--
-- The statement that takes a lock and returns how many things it locked.  Raises
-- 42P01, 22023 or what PostgreSQL says of a condition; a condition that is more
-- than a condition is refused as a cursor.
--
CREATE FUNCTION @extschema@._lock_statement(target text, mode text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_keys      text[] := regexp_match(target, '^\s*advisory\s*\(?\s*(-?\d{1,18})\s*'
                                               '(?:,\s*(-?\d{1,9})\s*)?\)?\s*$', 'i');
    v_rows      text[] := regexp_match(target, '^(.*?)\s+where\s+(.*)$', 'i');
    v_relation  regclass;
    v_statement text;
    v_line      record;
BEGIN
    IF v_keys IS NOT NULL THEN
        PERFORM @extschema@._require_mode(mode, ARRAY['ACCESS EXCLUSIVE', 'EXCLUSIVE', 'SHARE']);
        RETURN format('SELECT 1::bigint FROM pg_catalog.pg_advisory_xact_lock%s(%s)',
                      CASE mode WHEN 'SHARE' THEN '_shared' ELSE '' END,
                      array_to_string(v_keys, ', '));
    END IF;
    v_relation := @extschema@._require_table(COALESCE(v_rows[1], target));
    IF v_rows IS NULL THEN
        PERFORM @extschema@._require_mode(mode, ARRAY[
            'ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE',
            'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE']);
        RETURN format('LOCK TABLE %s IN %s MODE; SELECT 1::bigint', v_relation, mode);
    END IF;
    PERFORM @extschema@._require_mode(mode, ARRAY['ACCESS EXCLUSIVE', 'UPDATE', 'NO KEY UPDATE',
                                                  'SHARE', 'KEY SHARE']);
    v_statement := format(E'SELECT count(*) FROM (SELECT FROM ONLY %s WHERE (%s\n) FOR %s) AS r',
                          v_relation, v_rows[2],
                          CASE mode WHEN 'ACCESS EXCLUSIVE' THEN 'UPDATE' ELSE mode END);
    FOR v_line IN EXECUTE 'EXPLAIN ' || v_statement LOOP
        EXIT;
    END LOOP;
    RETURN v_statement;
END;
$function$;
COMMENT ON FUNCTION @extschema@._lock_statement(text, text) IS
    'Builds the statement that takes a lock on a table, on rows or on advisory keys.';

CREATE FUNCTION @extschema@._require_mode(mode text, modes text[])
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF mode <> ALL (modes) THEN
        RAISE EXCEPTION 'invalid lock mode "%"', mode
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('Here the modes are %s.', array_to_string(modes, ', '));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_mode(text, text[]) IS
    'Raises 22023 for a lock mode that the target does not have.';

CREATE FUNCTION @extschema@._require_table(name text)
RETURNS regclass
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation oid;
BEGIN
    SELECT c.oid INTO v_relation
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE btrim(name) IN (format('%I.%I', n.nspname, c.relname),
                           format('%s.%s', n.nspname, c.relname))
       AND c.relkind IN ('r', 'p')
     ORDER BY btrim(name) = format('%I.%I', n.nspname, c.relname) DESC
     LIMIT 1;
    IF v_relation IS NULL THEN
        RAISE EXCEPTION 'table "%" does not exist', name
            USING ERRCODE = 'undefined_table',
                  HINT = 'A target is SCHEMA.TABLE, SCHEMA.TABLE WHERE condition, or advisory KEY.';
    END IF;
    RETURN v_relation;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_table(text) IS
    'Finds a table by its schema and name, quoted or not, or raises 42P01.';
--
-- _require_dblink(), _open_holder(dblink, id)
--
-- The other session: where dblink is, and a connection of it to this database.
-- A connection whose hold is over is closed on the way.  Raise PC010.
--
CREATE FUNCTION @extschema@._require_dblink()
RETURNS name
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_schema name;
BEGIN
    SELECT n.nspname INTO v_schema
      FROM pg_catalog.pg_extension AS e
      JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
     WHERE e.extname = 'dblink';
    IF v_schema IS NULL THEN
        RAISE EXCEPTION 'there is no way to start another session from here'
            USING ERRCODE = 'PC010',
                  DETAIL = 'A lock that this session would hold itself could block nobody but others; '
                           'dblink starts another one.',
                  HINT = 'CREATE EXTENSION dblink;';
    END IF;
    RETURN v_schema;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_dblink() IS
    'Names the schema of dblink, or raises PC010 where it is not installed.';

CREATE FUNCTION @extschema@._open_holder(dblink name, id bigint)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text := 'pggit_chaos hold ' || id;
BEGIN
    PERFORM @extschema@._close_holders(dblink);
    EXECUTE format('SELECT %I.dblink_connect($1, $2)', dblink)
      USING v_name,
            (SELECT string_agg(format('%s=''%s''', p.name,
                                      regexp_replace(p.value, '([\\''])', '\\\1', 'g')), ' ')
               FROM (VALUES ('host', btrim(split_part(current_setting('unix_socket_directories'),
                                                      ',', 1))),
                            ('port', current_setting('port')),
                            ('dbname', current_database()),
                            ('user', session_user),
                            ('application_name', 'pggit_chaos hold_lock')) AS p(name, value));
    -- The other session notices within a tenth of a second when this one is gone.
    EXECUTE format('SELECT %I.dblink_exec($1, $2)', dblink)
      USING v_name,
            'SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; '
            'SET client_connection_check_interval = ''100ms''';
    RETURN v_name;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
    RAISE EXCEPTION 'no other session could be started: %', SQLERRM
        USING ERRCODE = 'PC010',
              HINT = 'Take the lock in a session of your own.';
END;
$function$;
COMMENT ON FUNCTION @extschema@._open_holder(name, bigint) IS
    'Opens the session that is to hold a lock and answers the name of its connection.';

CREATE FUNCTION @extschema@._close_holders(dblink name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_names text[];
    v_name  text;
BEGIN
    EXECUTE format('SELECT %I.dblink_get_connections()', dblink) INTO v_names;
    FOREACH v_name IN ARRAY COALESCE(v_names, '{}') LOOP
        IF v_name LIKE 'pggit\_chaos hold %' AND NOT @extschema@._is_busy(dblink, v_name) THEN
            EXECUTE format('SELECT %I.dblink_disconnect($1)', dblink) USING v_name;
        END IF;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._close_holders(name) IS
    'Closes this session''s connections whose lock hold is over.';

CREATE FUNCTION @extschema@._is_busy(dblink name, connection text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_busy integer;
BEGIN
    EXECUTE format('SELECT %I.dblink_is_busy($1)', dblink) INTO v_busy USING connection;
    RETURN v_busy = 1;
END;
$function$;
COMMENT ON FUNCTION @extschema@._is_busy(name, text) IS
    'Answers whether a connection of dblink still runs its statement.';
--
-- lock_hold, release_lock(hold_id)
--
-- The holds that are there now, read from the sessions that hold them: what is
-- listed is held, whatever transaction asked for it and whatever became of that.
-- release_lock() ends the session of one and answers whether there was one.  It
-- asks for no opt-in: letting go is always allowed.
--
CREATE FUNCTION @extschema@._lock_holds()
RETURNS TABLE (hold_id bigint, target text, mode text, pid integer, since timestamptz,
               expires_at timestamptz)
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- What this transaction has seen before may be older than the hold.
    SELECT pg_stat_clear_snapshot();
    SELECT m.match[1]::bigint, m.match[4], m.match[3], a.pid, a.query_start,
           to_timestamp(m.match[2]::float8)
      FROM pg_catalog.pg_stat_activity AS a
     CROSS JOIN LATERAL regexp_match(a.query,
               '^/\* pggit_chaos\.hold_lock (\d{1,18}) until (\d{1,11}(?:\.\d{1,9})?): '
               '([A-Z ]+) on (.*?)(?: \*/.*)?$') AS m(match)
     WHERE a.datname = current_database()
       AND a.application_name = 'pggit_chaos hold_lock'
       AND a.state = 'active'
       AND m.match IS NOT NULL;
$function$;
COMMENT ON FUNCTION @extschema@._lock_holds() IS
    'Lists the lock holds from the sessions that hold them.';

CREATE VIEW @extschema@.lock_hold AS
SELECT h.hold_id, h.target, h.mode, h.pid, h.since, h.expires_at
  FROM @extschema@._lock_holds() AS h;
COMMENT ON VIEW @extschema@.lock_hold IS
    'The locks that other sessions hold for hold_lock(), with the time at which they let go.';

CREATE FUNCTION @extschema@.release_lock(hold_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_released boolean;
BEGIN
    PERFORM @extschema@._require_value(hold_id, 'hold_id');
    SELECT bool_or(pg_terminate_backend(h.pid, 5000)) INTO v_released
      FROM @extschema@._lock_holds() AS h
     WHERE h.hold_id = release_lock.hold_id;
    RETURN COALESCE(v_released, false);
END;
$function$;
COMMENT ON FUNCTION @extschema@.release_lock(bigint) IS
    'Ends a lock hold and answers whether it was there.';
--
-- _definitions(schemas)
--
-- What the catalogue holds of the given schemas, one row an object, in words
-- that no OID is part of.  Hooks are left out and hooked bodies are read as
-- their originals: the observer is not part of what it observes.  Writes:
-- nothing.
--
CREATE FUNCTION @extschema@._definitions(schemas name[])
RETURNS TABLE (kind text, object text, definition text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $function$
    WITH namespace AS MATERIALIZED (
        SELECT n.oid, n.nspname, n.nspacl, n.nspowner
          FROM pg_catalog.pg_namespace AS n
         WHERE n.nspname = ANY (schemas)
    ), relation AS MATERIALIZED (
        SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name
          FROM pg_catalog.pg_class AS c
          JOIN namespace AS n ON n.oid = c.relnamespace
    )
    SELECT 'schema', quote_ident(n.nspname),
           concat_ws(' ', n.nspowner::regrole, n.nspacl)
      FROM namespace AS n
    UNION ALL
    SELECT 'relation', r.name,
           concat_ws(' ', r.relkind, r.relowner::regrole, r.relacl, r.relpersistence,
                     r.relrowsecurity, r.relforcerowsecurity, r.reloptions, r.relreplident,
                     pg_get_expr(r.relpartbound, r.oid),
                     (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno)
                        FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = r.oid),
                     CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END)
      FROM relation AS r
     WHERE r.relkind NOT IN ('i', 'I', 't')
    UNION ALL
    SELECT 'column', r.name || '.' || quote_ident(a.attname),
           concat_ws(' ', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
                     format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                     a.attgenerated, a.attacl, pg_get_expr(d.adbin, d.adrelid))
      FROM relation AS r
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid
      LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
       AND a.attnum > 0
       AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', concat_ws('.', r.name, quote_ident(c.conname)),
           concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
      FROM pg_catalog.pg_constraint AS c
      JOIN relation AS r ON r.oid = c.conrelid
     WHERE c.contype <> 't'
    UNION ALL
    SELECT 'index', r.name, concat_ws(' ', pg_get_indexdef(r.oid), i.indisvalid, i.indisready)
      FROM relation AS r
      JOIN pg_catalog.pg_index AS i ON i.indexrelid = r.oid
    UNION ALL
    SELECT 'trigger', concat_ws('.', r.name, quote_ident(g.tgname)),
           concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled)
      FROM pg_catalog.pg_trigger AS g
      JOIN relation AS r ON r.oid = g.tgrelid
     WHERE NOT g.tgisinternal
       AND g.tgfoid <> '@extschema@._row_hook()'::regprocedure
    UNION ALL
    -- The triggers behind a foreign key are named by OID: count them.
    SELECT 'foreign key trigger', format('%s %s', r.name, g.tgfoid::regproc),
           concat_ws(' ', count(*), string_agg(g.tgenabled::text, '' ORDER BY g.tgenabled))
      FROM pg_catalog.pg_trigger AS g
      JOIN relation AS r ON r.oid = g.tgrelid
     WHERE g.tgisinternal
     GROUP BY r.name, g.tgfoid
    UNION ALL
    SELECT 'policy', concat_ws('.', r.name, quote_ident(p.polname)),
           concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[],
                     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      FROM pg_catalog.pg_policy AS p
      JOIN relation AS r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'rule', concat_ws('.', r.name, quote_ident(w.rulename)),
           concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
      FROM pg_catalog.pg_rewrite AS w
      JOIN relation AS r ON r.oid = w.ev_class
     WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text,
           concat_ws(' ', l.lanname, p.prokind, p.provolatile, p.proparallel, p.prosecdef,
                     p.proleakproof, p.proisstrict, p.proretset, p.procost, p.prorows,
                     p.proowner::regrole, p.proacl, p.proconfig,
                     pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                     COALESCE(pg_get_function_sqlbody(p.oid),
                              @extschema@._unhooked_source(p.prosrc)))
      FROM pg_catalog.pg_proc AS p
      JOIN namespace AS n ON n.oid = p.pronamespace
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    UNION ALL
    SELECT 'type', format('%I.%I', n.nspname, t.typname),
           concat_ws(' ', t.typtype, t.typowner::regrole, t.typacl, t.typnotnull, t.typdefault,
                     format_type(t.typbasetype, t.typtypmod),
                     (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
                        FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid))
      FROM pg_catalog.pg_type AS t
      JOIN namespace AS n ON n.oid = t.typnamespace
     WHERE t.typtype IN ('e', 'd', 'r')
    UNION ALL
    SELECT 'sequence', format('%s', s.seqrelid::regclass),
           concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
                     s.seqmax, s.seqcycle)
      FROM pg_catalog.pg_sequence AS s
      JOIN relation AS r ON r.oid = s.seqrelid
    UNION ALL
    SELECT 'event trigger', quote_ident(e.evtname),
           concat_ws(' ', e.evtevent, e.evtenabled, e.evttags, e.evtowner::regrole,
                     e.evtfoid::regprocedure)
      FROM pg_catalog.pg_event_trigger AS e
      JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
     WHERE p.pronamespace <> '@extschema@'::regnamespace;
$function$;
COMMENT ON FUNCTION @extschema@._definitions(name[]) IS
    'Lists what the catalogue defines in the given schemas, without OIDs and without hooks.';
--
-- digest(), state_digest()
--
-- A hash of all of pgGit's logical state: the rows of its tables, whatever their
-- order on disk, the positions of its sequences, and the definitions of its
-- objects.  Two databases with one state_digest() hold one pgGit.
-- Write: nothing.  Lock: ACCESS SHARE.
--
CREATE FUNCTION @extschema@.digest()
RETURNS TABLE (relation text, row_count bigint, digest text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET row_security = off
AS $function$
DECLARE
    v_schemas name[] := @extschema@._state_schemas();
    v_relation record;
BEGIN
    PERFORM @extschema@._require_pggit();
    FOR v_relation IN
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY (v_schemas)
           AND c.relkind IN ('r', 'm', 'S')
         ORDER BY n.nspname, c.relname
    LOOP
        relation := v_relation.name;
        SELECT h.row_count, h.digest INTO row_count, digest
          FROM @extschema@._row_digest(v_relation.oid) AS h;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
        SELECT 'definition of ' || d.kind, count(*),
               md5(string_agg(md5(d.object || ' ' || d.definition), ''
                              ORDER BY d.object, d.definition))
          FROM @extschema@._definitions(v_schemas) AS d
         GROUP BY d.kind
         ORDER BY d.kind;
END;
$function$;
COMMENT ON FUNCTION @extschema@.digest() IS
    'Hashes the rows, sequences and definitions of pgGit, one row a relation or kind of definition.';

CREATE FUNCTION @extschema@.state_digest()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT md5(string_agg(concat_ws(' ', d.relation, d.row_count, d.digest), E'\n'
                          ORDER BY d.relation))
      FROM @extschema@.digest() AS d;
$function$;
COMMENT ON FUNCTION @extschema@.state_digest() IS
    'Hashes digest() into one value: equal values mean that pgGit is in the same state.';

--
-- _state_schemas()
--
-- pgGit's own schemas and those into which its data branches move tables.
--
CREATE FUNCTION @extschema@._state_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT @extschema@._pggit_schemas()
           || ARRAY(SELECT n.nspname
                      FROM pg_catalog.pg_namespace AS n
                     WHERE n.nspname IN ('pggit_base', 'pggit_branches')
                     ORDER BY n.nspname);
$function$;
COMMENT ON FUNCTION @extschema@._state_schemas() IS
    'Names the schemas whose tables and definitions make up the state of pgGit.';

--
-- _row_digest(relation)
--
-- Sums a hash of each row, so that no sort is needed and the order of the rows
-- on disk does not count.  The settings that change how a value prints are
-- pinned.
--
CREATE FUNCTION @extschema@._row_digest(relation regclass, OUT row_count bigint, OUT digest text)
RETURNS record
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $function$
BEGIN
    EXECUTE format('SELECT count(*), COALESCE(md5(sum(hashtextextended(%s, 0))::text), %L) '
                   'FROM ONLY %s AS t',
                   CASE (SELECT c.relkind FROM pg_catalog.pg_class AS c WHERE c.oid = relation)
                       -- A sequence has a third column that counts ahead in the WAL.
                       WHEN 'S' THEN 'concat_ws('' '', t.last_value, t.is_called)'
                       ELSE 't::text'
                   END, '', relation)
       INTO row_count, digest;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_digest(regclass) IS
    'Counts and hashes the rows of one relation, whatever their order.';
--
-- corrupt(kind, seed)
--
-- Does one corruption and answers its id.  The same seed chooses the same
-- victims.  Writes: _corruption, _corruption_image, pgGit's metadata.  Locks:
-- SHARE ROW EXCLUSIVE on the table or sequence that it damages.  Undone by
-- heal(), exactly, and by rollback, sequences included.
-- Calls: _corrupt.
--
CREATE FUNCTION @extschema@.corrupt(kind text, seed bigint DEFAULT 0)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(kind, 'kind');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    RETURN @extschema@._corrupt(@extschema@._corruption_kind_named(kind), seed);
END;
$function$;
COMMENT ON FUNCTION @extschema@.corrupt(text, bigint) IS
    'Damages pgGit''s metadata in the named way, so that heal() can undo it, and answers its id.';

--
-- _corrupt(kind, seed), _corrupt_rows(...), _damaged_rows(kind),
-- _corrupt_sequences(...), _corrupt_objects(...), _probe(probe)
--
-- Under the replica role neither pgGit nor its foreign keys see the damage.  The
-- other settings decide how a value reads as text: pinned, an image means the
-- same in every session.  heal() pins the same ones.  The last two are as in
-- fsck().
--
CREATE FUNCTION @extschema@._corrupt(kind @extschema@._corruption_kind, seed bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
SET jit = off
SET enable_nestloop = off
AS $function$
DECLARE
    v_id bigint;
BEGIN
    INSERT INTO @extschema@._corruption (kind, seed, done_at, done_by)
    VALUES (_corrupt.kind.kind, seed, statement_timestamp(), session_user)
    RETURNING corruption_id INTO v_id;
    CASE kind.method
        WHEN 'sequence' THEN
            PERFORM @extschema@._corrupt_sequences(v_id, kind, seed);
        WHEN 'statement' THEN
            PERFORM @extschema@._corrupt_objects(v_id, kind, seed);
        ELSE
            PERFORM @extschema@._corrupt_rows(v_id, kind, seed);
    END CASE;
    IF NOT EXISTS (SELECT
                     FROM @extschema@._corruption_image AS i
                    WHERE i.corruption_id = v_id) THEN
        RAISE EXCEPTION 'there is nothing to corrupt by "%"', kind.kind
            USING ERRCODE = 'PC004',
                  DETAIL = format('No %s of this pgGit fits: %s.',
                                  COALESCE('row of "' || kind.relation || '"', 'object'),
                                  kind.summary),
                  HINT = 'Let pgGit do some ordinary work first: branches, commits, DDL.';
    END IF;
    RETURN v_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt(@extschema@._corruption_kind, bigint) IS
    'Does one corruption of a kind that is known to apply; raises PC004 where it finds no victim.';

CREATE FUNCTION @extschema@._corrupt_rows(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := kind.relation;
BEGIN
    -- Nobody may change a victim between its image and its damage.
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', v_relation);
    EXECUTE format('INSERT INTO @extschema@._corruption_image'
                   '    (corruption_id, step, method, object, before, after, shape)'
                   ' SELECT $2, row_number() OVER ('
                   '            ORDER BY d.before COLLATE "C", d.after COLLATE "C"),'
                   '        ''row'', $3, d.before, d.after, $4'
                   '   FROM (%s) AS d(before, after)'
                   '  WHERE d.before IS DISTINCT FROM d.after',
                   @extschema@._damaged_rows(kind))
      USING seed, corruption_id, v_relation::text, @extschema@._row_shape(v_relation);
    -- The row as it is then: a generated column has followed the others.
    UPDATE @extschema@._corruption_image AS i
       SET after = @extschema@._replace_row(
               v_relation,
               CASE WHEN i.before IS NOT NULL
                    THEN @extschema@._find_row(v_relation, i.before) END,
               i.after)
     WHERE i.corruption_id = _corrupt_rows.corruption_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_rows(bigint, @extschema@._corruption_kind, bigint) IS
    'Updates, deletes or inserts the rows that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._damaged_rows(kind @extschema@._corruption_kind)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format(CASE kind.method
                      WHEN 'update' THEN
                          'SELECT (t.*)::text, jsonb_populate_record(t.*, d.change)::text'
                          '  FROM (%2$s) AS d JOIN ONLY %1$s AS t ON t.ctid = d.victim'
                      WHEN 'delete' THEN
                          'SELECT (t.*)::text, NULL'
                          '  FROM (%2$s) AS d JOIN ONLY %1$s AS t ON t.ctid = d.victim'
                      WHEN 'insert' THEN
                          'SELECT NULL, jsonb_populate_record(NULL::%1$s, d.new_row)::text'
                          '  FROM (%2$s) AS d'
                  END, kind.relation::regclass, kind.query);
$function$;
COMMENT ON FUNCTION @extschema@._damaged_rows(@extschema@._corruption_kind) IS
    'Makes the query for the images, before and after, of the rows that a kind chooses.';

CREATE FUNCTION @extschema@._corrupt_sequences(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_step   integer := 0;
    v_damage record;
BEGIN
    FOR v_damage IN EXECUTE kind.query USING seed LOOP
        v_step := v_step + 1;
        PERFORM @extschema@._isolate_sequence(v_damage.sequence);
        INSERT INTO @extschema@._corruption_image
            (corruption_id, step, method, object, before, after)
        VALUES (_corrupt_sequences.corruption_id, v_step, 'sequence',
                v_damage.sequence, @extschema@._sequence_state(v_damage.sequence),
                (v_damage.last_value, v_damage.is_called)::text);
        PERFORM setval(v_damage.sequence, v_damage.last_value, v_damage.is_called);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_sequences(bigint, @extschema@._corruption_kind, bigint) IS
    'Moves the sequences that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._corrupt_objects(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_step   integer := 0;
    v_damage record;
BEGIN
    FOR v_damage IN EXECUTE kind.query USING seed LOOP
        v_step := v_step + 1;
        INSERT INTO @extschema@._corruption_image
            (corruption_id, step, method, object, before, undo, probe)
        VALUES (_corrupt_objects.corruption_id, v_step, 'statement',
                v_damage.object, @extschema@._probe(v_damage.probe), v_damage.undo,
                v_damage.probe);
        EXECUTE v_damage.damage;
        UPDATE @extschema@._corruption_image AS i
           SET after = @extschema@._probe(i.probe)
         WHERE i.corruption_id = _corrupt_objects.corruption_id
           AND i.step = v_step;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_objects(bigint, @extschema@._corruption_kind, bigint) IS
    'Damages the definitions that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._probe(probe text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_state text;
BEGIN
    EXECUTE probe INTO v_state;
    RETURN v_state;
END;
$function$;
COMMENT ON FUNCTION @extschema@._probe(text) IS
    'Runs the query that reads the state of an object; NULL where the object is gone.';
--
-- corruption
--
-- What was done to this database, and whether it was healed.
--
CREATE VIEW @extschema@.corruption AS
SELECT c.corruption_id,
       c.kind,
       CASE WHEN c.healed_at IS NULL THEN 'present' ELSE 'healed' END AS state,
       i.relation,
       i.rows,
       c.done_at
  FROM @extschema@._corruption AS c
 CROSS JOIN LATERAL (
       SELECT string_agg(DISTINCT i.object, ', ' ORDER BY i.object) AS relation,
              count(*) AS rows
         FROM @extschema@._corruption_image AS i
        WHERE i.corruption_id = c.corruption_id) AS i;
COMMENT ON VIEW @extschema@.corruption IS
    'The corruptions that were done here, what they damaged, and whether they are still present.';
--
-- corruption_kind, _corruption_kind_named(kind), _pick(seed, key)
--
-- What can be corrupted.  Write nothing.
--
CREATE VIEW @extschema@.corruption_kind AS
SELECT k.kind,
       k.category,
       k.summary,
       k.detected_by,
       cardinality(@extschema@._pggit_schemas()) > 0
       AND @extschema@._has(k.requires) AS applies
  FROM @extschema@._corruption_kind AS k;
COMMENT ON VIEW @extschema@.corruption_kind IS
    'What corrupt() can do, which checks must find it, and whether this pgGit has what it damages.';

CREATE FUNCTION @extschema@._corruption_kind_named(kind text)
RETURNS @extschema@._corruption_kind
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_kind @extschema@._corruption_kind;
BEGIN
    SELECT k.* INTO v_kind
      FROM @extschema@._corruption_kind AS k
     WHERE k.kind = _corruption_kind_named.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'corruption kind "%" does not exist', kind
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: '
                                    || @extschema@._near(kind, (SELECT array_agg(k.kind)
                                           FROM @extschema@._corruption_kind AS k))
                                    || '.', 'No kind has a name like it.'),
                  HINT = 'SELECT kind, summary FROM @extschema@.corruption_kind;';
    ELSIF NOT @extschema@._has(v_kind.requires) THEN
        RAISE EXCEPTION 'corruption kind "%" does not apply to this pgGit', kind
            USING ERRCODE = 'PC008',
                  DETAIL = format('It needs %s.', array_to_string(v_kind.requires, ', ')),
                  HINT = 'SELECT kind, summary FROM @extschema@.corruption_kind WHERE applies;';
    END IF;
    RETURN v_kind;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corruption_kind_named(text) IS
    'Finds a kind of corruption; 42704 where there is none, PC008 where it does not apply.';

CREATE FUNCTION @extschema@._pick(seed bigint, key text)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT hashtextextended(key COLLATE "C", seed);
$function$;
COMMENT ON FUNCTION @extschema@._pick(bigint, text) IS
    'Gives the candidates of a corruption an order that the seed alone decides.';
--
-- heal(corruption_id), heal_all()
--
-- Undo corruptions exactly, by their images.  heal() answers false where there
-- is nothing left to do; heal_all() answers how many it healed, newest first.
-- What was changed since is not overwritten: PC005 names it, and nothing is
-- healed.  They need no opt-in: they put pgGit back.  Writes: pgGit's metadata,
-- _corruption.  Locks: the rows, tables or sequences that the corruption damaged.
-- Calls: _heal.
--
CREATE FUNCTION @extschema@.heal(corruption_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_healed boolean;
BEGIN
    PERFORM @extschema@._require_value(corruption_id, 'corruption_id');
    SELECT c.healed_at IS NOT NULL INTO v_healed
      FROM @extschema@._corruption AS c
     WHERE c.corruption_id = heal.corruption_id
       FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'corruption % does not exist', corruption_id
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT * FROM @extschema@.corruption;';
    ELSIF v_healed THEN
        RETURN false;
    END IF;
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._heal(corruption_id);
    UPDATE @extschema@._corruption AS c
       SET healed_at = statement_timestamp()
     WHERE c.corruption_id = heal.corruption_id;
    RETURN true;
END;
$function$;
COMMENT ON FUNCTION @extschema@.heal(bigint) IS
    'Undoes one corruption exactly; false where that was done, PC005 over any later change.';

CREATE FUNCTION @extschema@.heal_all()
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id    bigint;
    v_count integer := 0;
BEGIN
    FOR v_id IN
        SELECT c.corruption_id
          FROM @extschema@._corruption AS c
         WHERE c.healed_at IS NULL
         ORDER BY c.corruption_id DESC
    LOOP
        IF @extschema@.heal(v_id) THEN
            v_count := v_count + 1;
        END IF;
    END LOOP;
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.heal_all() IS
    'Undoes every corruption that is present, newest first, and answers how many there were.';

--
-- _heal(corruption_id), _heal_row(image), _heal_sequence(image), _heal_object(image),
-- _refuse_to_heal(image, problem)
--
-- Those of one image answer what stands in the way, or NULL when it is done.
--
CREATE FUNCTION @extschema@._heal(corruption_id bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
AS $function$
DECLARE
    v_image   @extschema@._corruption_image;
    v_problem text;
BEGIN
    FOR v_image IN
        SELECT i.*
          FROM @extschema@._corruption_image AS i
         WHERE i.corruption_id = _heal.corruption_id
         ORDER BY i.step DESC
    LOOP
        v_problem := CASE v_image.method
            WHEN 'row' THEN @extschema@._heal_row(v_image)
            WHEN 'sequence' THEN @extschema@._heal_sequence(v_image)
            WHEN 'statement' THEN @extschema@._heal_object(v_image)
        END;
        IF v_problem IS NOT NULL THEN
            PERFORM @extschema@._refuse_to_heal(v_image, v_problem);
        END IF;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal(bigint) IS
    'Puts back what a corruption damaged, last step first.';

CREATE FUNCTION @extschema@._heal_row(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := to_regclass(image.object);
    v_row      tid;
BEGIN
    IF v_relation IS NULL THEN
        RETURN format('table "%s" does not exist any more', image.object);
    ELSIF @extschema@._row_shape(v_relation) <> image.shape THEN
        RETURN format('the columns of "%s" were changed', image.object);
    END IF;
    IF image.after IS NOT NULL THEN
        v_row := @extschema@._find_row(v_relation, image.after);
        IF v_row IS NULL THEN
            RETURN format('row %s of "%s" was changed',
                          @extschema@._row_identity(v_relation, image.after), image.object);
        END IF;
    END IF;
    BEGIN
        IF @extschema@._replace_row(v_relation, v_row, image.before)
           IS DISTINCT FROM image.before THEN
            RETURN format('row %s of "%s" does not take its former values',
                          @extschema@._row_identity(v_relation, image.before), image.object);
        END IF;
    EXCEPTION
        WHEN unique_violation THEN
            RETURN format('another row took the place of row %s of "%s"',
                          @extschema@._row_identity(v_relation, image.before), image.object);
    END;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_row(@extschema@._corruption_image) IS
    'Puts back one row; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_sequence(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sequence regclass := to_regclass(image.object);
BEGIN
    IF v_sequence IS NULL THEN
        RETURN format('sequence "%s" does not exist any more', image.object);
    END IF;
    PERFORM @extschema@._isolate_sequence(v_sequence);
    IF @extschema@._sequence_state(v_sequence) <> image.after THEN
        RETURN format('sequence "%s" was used or set', image.object);
    END IF;
    PERFORM @extschema@._set_sequence_state(v_sequence, image.before);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_sequence(@extschema@._corruption_image) IS
    'Puts back one sequence; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_object(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF @extschema@._probe(image.probe) IS DISTINCT FROM image.after THEN
        RETURN format('%s was changed', image.object);
    END IF;
    EXECUTE image.undo;
    IF @extschema@._probe(image.probe) IS DISTINCT FROM image.before THEN
        RETURN format('%s does not take its former definition', image.object);
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_object(@extschema@._corruption_image) IS
    'Puts back one definition; answers what stands in the way.';

CREATE FUNCTION @extschema@._refuse_to_heal(
    image @extschema@._corruption_image, problem text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_newer bigint;
BEGIN
    SELECT max(c.corruption_id) INTO v_newer
      FROM @extschema@._corruption AS c
      JOIN @extschema@._corruption_image AS i ON i.corruption_id = c.corruption_id
     WHERE c.corruption_id > image.corruption_id
       AND c.healed_at IS NULL
       AND i.object = image.object;
    RAISE EXCEPTION 'corruption % cannot be healed: %', image.corruption_id, problem
        USING ERRCODE = 'PC005',
              DETAIL = format('It left: %s. It was: %s.',
                              COALESCE(image.after, 'nothing'),
                              COALESCE(image.before, 'nothing')),
              HINT = CASE
                  WHEN v_newer IS NOT NULL THEN
                      format('Corruption %s came later. Newest first: '
                             'SELECT @extschema@.heal_all();', v_newer)
                  ELSE
                      format('Put it back as it was left and heal again, or give it up: '
                             'DELETE FROM @extschema@._corruption WHERE corruption_id = %s;',
                             image.corruption_id)
              END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._refuse_to_heal(@extschema@._corruption_image, text) IS
    'Raises PC005 with what stands in the way, both images, and the way out.';
--
-- A cascade that did not happen.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_deleted', 'branch',
    'a branch is gone and what is on it is still there',
    '{commit_branch_missing,object_branch_missing,history_branch_missing,'
    'branch_parent_missing,dependency_branch_missing,data_branch_missing,'
    'merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id,'
    'pggit.commits.branch_id,pggit.objects.branch_id}',
    'delete', 'pggit.branches',
$query$
SELECT b.ctid AS victim
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND (EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.branch_id = b.id)
        OR EXISTS (SELECT FROM ONLY pggit.objects AS o WHERE o.branch_id = b.id)
        OR EXISTS (SELECT FROM ONLY pggit.branches AS k WHERE k.parent_branch_id = b.id))
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- The type of the column goes to 999.99.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_efficiency_overflown', 'branch',
    'a branch claims a storage efficiency above 100 percent',
    '{branch_efficiency_range}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.storage_efficiency}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('storage_efficiency', 250) AS change
  FROM ONLY pggit.branches AS b
 WHERE COALESCE(b.storage_efficiency, 0) BETWEEN 0 AND 100
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- Its work would be taken for safe.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_falsely_merged', 'branch',
    'a branch is marked as merged that was not',
    '{branch_merge_incomplete}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.merged_at,'
    'pggit.branches.merged_by}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', 'MERGED') AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND b.status = 'ACTIVE'
   AND b.merged_at IS NULL
   AND b.merged_by IS NULL
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_head_dangling', 'branch',
    'a branch has a head that does not exist',
    '{branch_head_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,pggit.commits.hash}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('head_commit_hash', md5('lost ' || b.name)) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.head_commit_hash IS DISTINCT FROM md5('lost ' || b.name)
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- A lost update: the next commit would start a second line. Where heads are
-- not kept there is nothing to corrupt.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_head_rewound', 'branch',
    'a branch has an older commit as its head',
    '{branch_head_behind}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,'
    'pggit.commits.hash,pggit.commits.branch_id,pggit.commits.parent_commit_hash}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('head_commit_hash', c.parent_commit_hash) AS change
  FROM ONLY pggit.branches AS b
  JOIN ONLY pggit.commits AS c ON c.hash = b.head_commit_hash AND c.branch_id = b.id
  JOIN ONLY pggit.commits AS p ON p.hash = c.parent_commit_hash
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- Only a function protects it, and no constraint.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_deleted', 'branch',
    'branch main is gone',
    '{branch_main_missing,commit_branch_missing,object_branch_missing,history_branch_missing,'
    'branch_parent_missing,dependency_branch_missing,data_branch_missing,'
    'merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name}',
    'delete', 'pggit.branches',
$query$
SELECT b.ctid AS victim
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
$query$);
--
-- Objects name their branch by name as well as by id. The new name is made of
-- all names, and so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_renamed', 'branch',
    'branch main has another name',
    '{branch_main_missing,object_branch_missing,merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('name', 'main-' || left(md5(string_agg(n.name, ' ')), 8)) AS change
  FROM ONLY pggit.branches AS b
 CROSS JOIN ONLY pggit.branches AS n
 WHERE b.name = 'main'
 GROUP BY b.ctid
$query$);
--
-- pgGit refuses to do so.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_retired', 'branch',
    'branch main is marked as deleted',
    '{branch_main_state}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', 'DELETED') AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND b.status = 'ACTIVE'
$query$);
--
-- Two branches are each other's parents; where there is only one beside main,
-- it is its own.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_parent_cycle', 'branch',
    'a branch descends from itself',
    '{branch_parent_cycle}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'update', 'pggit.branches',
$query$
WITH chosen AS (
    SELECT b.ctid, b.id, row_number() OVER (
               ORDER BY @extschema@._pick($1, b.name), b.id) AS place
      FROM ONLY pggit.branches AS b
     WHERE b.name <> 'main'
       AND NOT EXISTS (SELECT
                         FROM ONLY pggit.branches AS p
                        WHERE p.id = b.parent_branch_id
                          AND p.parent_branch_id = b.id)
     ORDER BY place
     LIMIT 2)
SELECT c.ctid AS victim,
       jsonb_build_object('parent_branch_id', COALESCE(
           (SELECT k.id FROM chosen AS k WHERE k.id <> c.id), c.id)) AS change
  FROM chosen AS c
$query$);
--
-- What a restore of some rows of a table leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_parent_dangling', 'branch',
    'a branch names a parent that does not exist',
    '{branch_parent_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('parent_branch_id', (SELECT max(k.id) + 1000
                                                 FROM ONLY pggit.branches AS k)) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND (b.parent_branch_id IS NULL
        OR b.parent_branch_id IN (SELECT k.id FROM ONLY pggit.branches AS k))
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_stats_deleted', 'data',
    'a data branch has lost its storage statistics',
    '{branched_table_stats_missing}',
    '{pggit.branch_storage_stats.branch_name,pggit.branched_tables.branch_name}',
    'delete', 'pggit.branch_storage_stats',
$query$
SELECT s.ctid AS victim
  FROM ONLY pggit.branch_storage_stats AS s
 WHERE EXISTS (SELECT
                 FROM ONLY pggit.branched_tables AS t
                WHERE t.branch_name = s.branch_name)
 ORDER BY @extschema@._pick($1, s.branch_name), s.branch_name
 LIMIT 1
$query$);
--
-- No function of pgGit finds the branch any more.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_status_lost', 'branch',
    'a branch has no status',
    '{branch_status_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', NULL) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND b.status <> 'MERGED'
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
--
-- A rename that pgGit did not hear of.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branched_table_dangling', 'data',
    'a data branch has its copy in a table that does not exist',
    '{branched_table_missing}',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_table}',
    'update', 'pggit.branched_tables',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('branch_table', md5('lost ' || t.branch_table)) AS change
  FROM ONLY pggit.branched_tables AS t
 ORDER BY @extschema@._pick($1, t.id::text), t.id
 LIMIT 1
$query$);
--
-- The times agree with each other, and the Trinity ID tells the truth.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_backdated', 'commit',
    'a commit is of a time before its Trinity ID was made',
    '{trinity_time_mismatch}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.authored_at,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('authored_at', c.authored_at - interval '3 days',
                          'committed_at', c.committed_at - interval '3 days') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
   AND c.committed_at IS NOT NULL
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_branch_dangling', 'commit',
    'a commit is on a branch that does not exist',
    '{commit_branch_missing}',
    '{pggit.commits.id,pggit.commits.branch_id,pggit.branches.id}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('branch_id', (SELECT max(b.id) + 1000
                                          FROM ONLY pggit.branches AS b)) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.branch_id IN (SELECT b.id FROM ONLY pggit.branches AS b)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- Where nothing refers to commits, a commit goes without a trace, and there is
-- nothing to corrupt.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_deleted', 'commit',
    'a commit that others refer to is gone',
    '{commit_parent_missing,branch_head_missing,history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash,'
    'pggit.branches.head_commit_hash,pggit.history.commit_hash}',
    'delete', 'pggit.commits',
$query$
SELECT c.ctid AS victim
  FROM ONLY pggit.commits AS c
 WHERE c.hash IN (SELECT k.parent_commit_hash FROM ONLY pggit.commits AS k
                   WHERE k.id <> c.id
                  UNION ALL
                  SELECT b.head_commit_hash FROM ONLY pggit.branches AS b
                  UNION ALL
                  SELECT h.commit_hash FROM ONLY pggit.history AS h)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- NOT NULL does not keep an empty text out. What referred to the hash dangles.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_hash_emptied', 'commit',
    'a commit has lost its hash',
    '{commit_hash_empty,commit_parent_missing,branch_head_missing,history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('hash', '') AS change
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.commits AS k WHERE k.hash = '')
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- The column is not NOT NULL.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_message_lost', 'commit',
    'a commit has lost its message',
    '{commit_field_missing}',
    '{pggit.commits.id,pggit.commits.message}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('message', NULL) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.message IS NOT NULL
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- Whoever walks up from there never arrives. Where one of them is a head, the
-- other is its child as well.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_cycle', 'commit',
    'two commits are each other''s parents',
    '{commit_parent_cycle,branch_head_behind}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'update', 'pggit.commits',
$query$
WITH pair AS (
    SELECT c.ctid, c.id, c.hash
      FROM ONLY pggit.commits AS c
     WHERE NOT EXISTS (SELECT
                         FROM ONLY pggit.commits AS p
                        WHERE p.hash = c.parent_commit_hash
                          AND p.parent_commit_hash = c.hash)
     ORDER BY @extschema@._pick($1, c.id::text), c.id
     LIMIT 2)
SELECT a.ctid AS victim,
       jsonb_build_object('parent_commit_hash', b.hash) AS change
  FROM pair AS a
  JOIN pair AS b ON b.id <> a.id
$query$);
--
-- What remains when a parent is pruned away. pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_dangling', 'commit',
    'a commit names a parent that does not exist',
    '{commit_parent_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('parent_commit_hash', md5('lost ' || c.hash)) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.parent_commit_hash IS DISTINCT FROM md5('lost ' || c.hash)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- The shortest of all cycles: whoever walks up from there never arrives. Where
-- the commit is a head, it is its own child as well.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_self', 'commit',
    'a commit is its own parent',
    '{commit_parent_cycle,branch_head_behind}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('parent_commit_hash', c.hash) AS change
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS p
                    WHERE p.hash = c.parent_commit_hash
                      AND p.parent_commit_hash = c.hash)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- A clock that ran ahead. A Trinity ID would be too old for it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_postdated', 'commit',
    'a commit is of a time to come',
    '{commit_time_future,trinity_time_mismatch}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('committed_at', c.committed_at + interval '10 years') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at IS NOT NULL
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- What a restore of the tables without the sequence leaves: the next INSERT
-- stops with a duplicate key.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_sequence_rewound', 'sequence',
    'the sequence of commit ids starts again at ids that are in use',
    '{sequence_behind}',
    '{pggit.commits.id}',
    'sequence', NULL,
$query$
SELECT pg_get_serial_sequence('pggit.commits', 'id')::regclass AS sequence,
       min(t.id) AS last_value,
       false AS is_called
  FROM ONLY pggit.commits AS t
 WHERE pg_sequence_last_value(pg_get_serial_sequence('pggit.commits', 'id')::regclass)
       IS NOT NULL
   AND t.id >= 1
HAVING count(*) > 0
$query$);
--
-- Two columns of one statement that no longer agree.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_time_reversed', 'commit',
    'a commit was authored after it was committed',
    '{commit_time_order}',
    '{pggit.commits.id,pggit.commits.authored_at,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('authored_at', c.committed_at + interval '1 hour') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at >= COALESCE(c.authored_at, c.committed_at)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- Whoever compares it with a computed hash sees a change where there is none.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_tree_hash_garbled', 'commit',
    'the tree hash of a commit is no hash',
    '{commit_tree_hash_malformed}',
    '{pggit.commits.id,pggit.commits.tree_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('tree_hash', 'tree ' || c.id) AS change
  FROM ONLY pggit.commits AS c
 WHERE COALESCE(c.tree_hash ~ '^[0-9a-f]{64}$', true)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
--
-- The flag is put back as it was and the rows are not looked at: they may be
-- damaged too, and are not for this corruption to judge.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'constraint_dropped', 'definition',
    'a foreign key of pgGit is gone',
    '{constraint_missing}',
    '{}',
    'statement', NULL,
$query$
SELECT format('constraint %I of table %s', c.conname, c.conrelid::regclass) AS object,
       format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) AS damage,
       concat_ws('; ',
                 format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', c.conrelid::regclass,
                        c.conname, pg_get_constraintdef(c.oid)),
                 format('UPDATE pg_catalog.pg_constraint SET convalidated = true'
                        ' WHERE conrelid = %L::regclass AND conname = %L',
                        c.conrelid::regclass, c.conname),
                 format('COMMENT ON CONSTRAINT %I ON %s IS %L', c.conname, c.conrelid::regclass,
                        obj_description(c.oid, 'pg_constraint'))) AS undo,
       format('SELECT concat_ws('' '', pg_get_constraintdef(c.oid), c.convalidated,'
              ' obj_description(c.oid, ''pg_constraint''))'
              ' FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              c.conrelid::regclass, c.conname) AS probe
  FROM (VALUES ('pggit.branches', '{parent_branch_id}', 'pggit.branches'),
               ('pggit.commits', '{branch_id}', 'pggit.branches'),
               ('pggit.objects', '{parent_id}', 'pggit.objects'),
               ('pggit.history', '{object_id}', 'pggit.objects'),
               ('pggit.history', '{branch_id}', 'pggit.branches')) AS f(relation, columns, target)
  JOIN pg_catalog.pg_constraint AS c
    ON c.conrelid = to_regclass(f.relation)
   AND c.confrelid = to_regclass(f.target)
   AND c.conkey = ARRAY(SELECT a.attnum
                          FROM pg_catalog.pg_attribute AS a
                         WHERE a.attrelid = c.conrelid
                           AND a.attname = ANY (f.columns::name[]))
 WHERE c.contype = 'f'
   AND c.convalidated
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_trigger AS t
                    WHERE t.tgconstraint = c.oid
                      AND t.tgenabled <> 'O')
 ORDER BY @extschema@._pick($1, concat_ws(' ', f.relation, f.columns)), f.relation, f.columns
 LIMIT 1
$query$);
--
-- What a dump and restore with NOT VALID leaves. No statement takes the flag
-- away, and so it is taken from the catalogue itself.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'constraint_unvalidated', 'definition',
    'a constraint of pgGit does not hold for every row',
    '{constraint_unvalidated}',
    '{}',
    'statement', NULL,
$query$
SELECT format('constraint %I of table %s', c.conname, c.conrelid::regclass) AS object,
       format('UPDATE pg_catalog.pg_constraint SET convalidated = false'
              ' WHERE conrelid = %L::regclass AND conname = %L',
              c.conrelid::regclass, c.conname) AS damage,
       format('UPDATE pg_catalog.pg_constraint SET convalidated = true'
              ' WHERE conrelid = %L::regclass AND conname = %L',
              c.conrelid::regclass, c.conname) AS undo,
       format('SELECT c.convalidated::text FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              c.conrelid::regclass, c.conname) AS probe
  FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND c.contype IN ('c', 'f')
   AND c.convalidated
 ORDER BY @extschema@._pick($1, concat_ws(' ', c.conrelid::regclass, c.conname)),
          c.conrelid::regclass::text, c.conname
 LIMIT 1
$query$);
--
-- A rename that pgGit did not hear of.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'data_branch_dangling', 'data',
    'a data branch is of a table that does not exist',
    '{data_branch_table_missing}',
    '{pggit.data_branches.id,pggit.data_branches.table_schema,pggit.data_branches.table_name}',
    'update', 'pggit.data_branches',
$query$
SELECT d.ctid AS victim,
       jsonb_build_object('table_name', md5('lost ' || d.table_name)) AS change
  FROM ONLY pggit.data_branches AS d
 ORDER BY @extschema@._pick($1, d.id::text), d.id
 LIMIT 1
$query$);
--
-- No order of creation fulfils it. The id is below all others, and so no
-- sequence falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'dependency_cycle', 'dependency',
    'two objects depend on each other',
    '{dependency_cycle}',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type}',
    'insert', 'pggit.dependencies',
$query$
SELECT to_jsonb(d) || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1
                                                  FROM ONLY pggit.dependencies AS k),
                                         'dependent_id', d.depends_on_id,
                                         'depends_on_id', d.dependent_id,
                                         'dependency_type', 'generic') AS new_row
  FROM ONLY pggit.dependencies AS d
 WHERE d.dependent_id <> d.depends_on_id
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.dependencies AS k
                    WHERE k.dependent_id = d.depends_on_id
                      AND k.depends_on_id = d.dependent_id)
 ORDER BY @extschema@._pick($1, d.id::text), d.id
 LIMIT 1
$query$);
--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'dependency_dangling', 'dependency',
    'an object depends on one that does not exist',
    '{dependency_object_missing}',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.objects.id}',
    'update', 'pggit.dependencies',
$query$
SELECT d.ctid AS victim,
       jsonb_build_object('depends_on_id', (SELECT max(o.id) + 1000
                                              FROM ONLY pggit.objects AS o)) AS change
  FROM ONLY pggit.dependencies AS d
 WHERE d.depends_on_id IN (SELECT o.id FROM ONLY pggit.objects AS o)
 ORDER BY @extschema@._pick($1, d.id::text), d.id
 LIMIT 1
$query$);
--
-- What the functions of pgGit write into the column from then on is an error.
-- No check compares with these labels.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'enum_label_renamed', 'definition',
    'an enum type of pgGit has lost a label',
    '{enum_label_missing}',
    '{}',
    'statement', NULL,
$query$
SELECT format('type %s', e.enumtypid::regtype) AS object,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', e.enumtypid::regtype, e.enumlabel,
              e.enumlabel || '_') AS damage,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', e.enumtypid::regtype, e.enumlabel || '_',
              e.enumlabel) AS undo,
       format('SELECT string_agg(e.enumlabel, '','' ORDER BY e.enumsortorder)'
              ' FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = to_regtype(%L)',
              e.enumtypid::regtype) AS probe
  FROM pg_catalog.pg_enum AS e
 WHERE e.enumtypid = to_regtype('pggit.merge_resolution')
   AND e.enumlabel IN ('AUTO_RESOLVED', 'MANUAL_RESOLVED', 'CONFLICT_PENDING', 'MERGE_REJECTED')
 ORDER BY @extschema@._pick($1, e.enumlabel), e.enumlabel
 LIMIT 1
$query$);
--
-- DDL goes on, and pgGit does not hear of it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_disabled', 'definition',
    'an event trigger that tells pgGit of DDL is disabled',
    '{event_trigger_disabled}',
    '{}',
    'statement', NULL,
$query$
SELECT format('event trigger %I', e.evtname) AS object,
       format('ALTER EVENT TRIGGER %I DISABLE', e.evtname) AS damage,
       format('ALTER EVENT TRIGGER %I %s', e.evtname,
              CASE e.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END) AS undo,
       format('SELECT e.evtenabled::text FROM pg_catalog.pg_event_trigger AS e'
              ' WHERE e.evtname = %L', e.evtname) AS probe
  FROM pg_catalog.pg_event_trigger AS e
 WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
   AND e.evtenabled IN ('O', 'A')
 ORDER BY @extschema@._pick($1, e.evtname), e.evtname
 LIMIT 1
$query$);
--
-- A pg_restore without the superuser leaves it out. One that belongs to an
-- extension cannot be dropped, and is left alone.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_dropped', 'definition',
    'an event trigger that tells pgGit of DDL is gone',
    '{event_trigger_missing}',
    '{}',
    'statement', NULL,
$query$
WITH chosen AS (
    SELECT e.oid, e.evtname, e.evtevent, e.evtenabled, e.evttags, e.evtowner,
           e.evtfoid::regprocedure AS function
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
       AND e.evtenabled IN ('O', 'A')
       AND e.evttags IS NULL
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass
                          AND d.objid = e.oid
                          AND d.deptype = 'e')
     ORDER BY @extschema@._pick($1, e.evtname), e.evtname
     LIMIT 1)
SELECT format('event trigger %I', c.evtname) AS object,
       format('DROP EVENT TRIGGER %I', c.evtname) AS damage,
       concat_ws('; ',
                 format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION %s()', c.evtname,
                        c.evtevent, c.function::regproc),
                 format('ALTER EVENT TRIGGER %I OWNER TO %I', c.evtname,
                        pg_get_userbyid(c.evtowner)),
                 format('ALTER EVENT TRIGGER %I %s', c.evtname,
                        CASE c.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END),
                 format('COMMENT ON EVENT TRIGGER %I IS %L', c.evtname,
                        obj_description(c.oid, 'pg_event_trigger'))) AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', c.evtname) AS probe
  FROM chosen AS c
$query$);
--
-- It is there and it is enabled, and pgGit does not hear of DDL all the same.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_redirected', 'definition',
    'an event trigger of pgGit calls a function that does nothing',
    '{event_trigger_altered}',
    '{}',
    'statement', NULL,
$query$
WITH chosen AS (
    SELECT e.oid, e.evtname, e.evtevent, e.evtenabled, e.evttags, e.evtowner,
           e.evtfoid::regprocedure AS function
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
       AND e.evtenabled IN ('O', 'A')
       AND e.evttags IS NULL
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass
                          AND d.objid = e.oid
                          AND d.deptype = 'e')
       AND to_regproc('pggit._pggit_chaos_hears_nothing') IS NULL
     ORDER BY @extschema@._pick($1, e.evtname), e.evtname
     LIMIT 1)
SELECT format('event trigger %I', c.evtname) AS object,
       format('DROP EVENT TRIGGER %1$I; '
              'CREATE FUNCTION pggit._pggit_chaos_hears_nothing() RETURNS event_trigger'
              ' LANGUAGE plpgsql AS ''BEGIN END''; '
              'CREATE EVENT TRIGGER %1$I ON %2$s'
              ' EXECUTE FUNCTION pggit._pggit_chaos_hears_nothing()',
              c.evtname, c.evtevent) AS damage,
       concat_ws('; ',
                 format('DROP EVENT TRIGGER %I', c.evtname),
                 format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION %s()', c.evtname,
                        c.evtevent, c.function::regproc),
                 format('ALTER EVENT TRIGGER %I OWNER TO %I', c.evtname,
                        pg_get_userbyid(c.evtowner)),
                 format('ALTER EVENT TRIGGER %I %s', c.evtname,
                        CASE c.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END),
                 format('COMMENT ON EVENT TRIGGER %I IS %L', c.evtname,
                        obj_description(c.oid, 'pg_event_trigger')),
                 'DROP FUNCTION pggit._pggit_chaos_hears_nothing()') AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', c.evtname) AS probe
  FROM chosen AS c
$query$);
--
-- The column is not NOT NULL.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_author_lost', 'history',
    'a history row does not say who',
    '{history_field_missing}',
    '{pggit.history.id,pggit.history.created_by}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('created_by', NULL) AS change
  FROM ONLY pggit.history AS h
 WHERE h.created_by IS NOT NULL
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_branch_dangling', 'history',
    'a history row is on a branch that does not exist',
    '{history_branch_missing}',
    '{pggit.history.id,pggit.history.branch_id,pggit.branches.id}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('branch_id', (SELECT max(b.id) + 1000
                                          FROM ONLY pggit.branches AS b)) AS change
  FROM ONLY pggit.history AS h
 WHERE h.branch_id IS NULL
    OR h.branch_id IN (SELECT b.id FROM ONLY pggit.branches AS b)
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_commit_dangling', 'history',
    'a history row names a commit that does not exist',
    '{history_commit_missing}',
    '{pggit.history.id,pggit.history.commit_hash,pggit.commits.hash}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('commit_hash', md5('lost ' || h.id)) AS change
  FROM ONLY pggit.history AS h
 WHERE h.commit_hash IS DISTINCT FROM md5('lost ' || h.id)
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- Whoever reads only the major changes would miss it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_drop_downgraded', 'history',
    'a drop is recorded as a minor change',
    '{history_drop_malformed}',
    '{pggit.history.id,pggit.history.change_type,pggit.history.change_severity}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('change_severity', 'MINOR') AS change
  FROM ONLY pggit.history AS h
 WHERE h.change_type = 'DROP'
   AND h.change_severity = 'MAJOR'
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- Nobody would know when the object went, or by whose hand.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_drop_erased', 'history',
    'the drop of an object is not in its history',
    '{object_drop_unrecorded}',
    '{pggit.objects.id,pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'delete', 'pggit.history',
$query$
SELECT h.ctid AS victim
  FROM ONLY pggit.history AS h
  JOIN ONLY pggit.objects AS o ON o.id = h.object_id
  JOIN (SELECT k.object_id, max(k.id) AS id
          FROM ONLY pggit.history AS k
         GROUP BY k.object_id
        HAVING count(*) > 1
           AND count(*) FILTER (WHERE k.change_type = 'DROP') = 1) AS last ON last.id = h.id
 WHERE NOT o.is_active
   AND h.change_type = 'DROP'
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- A replay that ran twice. The id is below all others, and so no sequence
-- falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_duplicated', 'history',
    'a change is in the history twice',
    '{history_duplicate}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'insert', 'pggit.history',
$query$
SELECT to_jsonb(h) || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1
                                                  FROM ONLY pggit.history AS k)) AS new_row
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND h.old_version IS NOT NULL
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- Somebody has covered up all traces of one object.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_erased', 'history',
    'an object that has changed has no history',
    '{object_history_missing}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name,pggit.objects.version,'
    'pggit.objects.is_active,pggit.history.object_id,pggit.history.change_type}',
    'delete', 'pggit.history',
$query$
SELECT h.ctid AS victim
  FROM ONLY pggit.history AS h
 WHERE h.object_id = (
       SELECT o.id
         FROM ONLY pggit.objects AS o
        WHERE o.branch_name = 'main'
          AND o.version > 1
          AND o.is_active
          AND EXISTS (SELECT FROM ONLY pggit.history AS k WHERE k.object_id = o.id)
          AND NOT EXISTS (SELECT
                            FROM ONLY pggit.objects AS s
                            JOIN ONLY pggit.history AS k ON k.object_id = s.id
                           WHERE s.object_type = o.object_type
                             AND s.schema_name = o.schema_name
                             AND s.object_name = o.object_name
                             AND s.branch_name <> o.branch_name)
        ORDER BY @extschema@._pick($1, o.id::text), o.id
        LIMIT 1)
$query$);
--
-- The audit trail reads on as if nothing had been there.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_gap', 'history',
    'a change in the middle of a history is gone',
    '{history_version_gap}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'delete', 'pggit.history',
$query$
WITH step AS (
    SELECT h.ctid, h.id, h.object_id,
           max(COALESCE(h.new_version, h.old_version)) OVER (
               before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached,
           lead(h.old_version) OVER before AS next_version
      FROM ONLY pggit.history AS h
    WINDOW before AS (PARTITION BY h.object_id ORDER BY h.id))
SELECT s.ctid AS victim
  FROM step AS s
 WHERE s.next_version > s.reached
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                     JOIN ONLY pggit.objects AS k
                       ON k.object_type = o.object_type
                      AND k.schema_name = o.schema_name
                      AND k.object_name = o.object_name
                      AND k.branch_name <> o.branch_name
                     JOIN ONLY pggit.history AS h ON h.object_id = k.id
                    WHERE o.id = s.object_id)
 ORDER BY @extschema@._pick($1, s.id::text), s.id
 LIMIT 1
$query$);
--
-- The first of several rows, so that the object itself keeps a history without
-- gaps.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_orphaned', 'history',
    'a history row is of an object that does not exist',
    '{history_object_missing}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,pggit.objects.id}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('object_id', (SELECT max(o.id) + 1000
                                          FROM ONLY pggit.objects AS o)) AS change
  FROM ONLY pggit.history AS h
  JOIN (SELECT k.object_id, min(k.id) AS id
          FROM ONLY pggit.history AS k
         GROUP BY k.object_id
        HAVING count(*) > 1) AS first ON first.id = h.id
 WHERE h.change_type <> 'DROP'
   AND h.object_id IN (SELECT o.id FROM ONLY pggit.objects AS o)
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- What a restore of the tables without the sequence leaves: the next INSERT
-- stops with a duplicate key.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_sequence_rewound', 'sequence',
    'the sequence of history ids starts again at ids that are in use',
    '{sequence_behind}',
    '{pggit.history.id}',
    'sequence', NULL,
$query$
SELECT pg_get_serial_sequence('pggit.history', 'id')::regclass AS sequence,
       min(t.id) AS last_value,
       false AS is_called
  FROM ONLY pggit.history AS t
 WHERE pg_sequence_last_value(pg_get_serial_sequence('pggit.history', 'id')::regclass)
       IS NOT NULL
   AND t.id >= 1
HAVING count(*) > 0
$query$);
--
-- Where it is the last change, the object is not at that version either.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_version_skipped', 'history',
    'a change raises the version by two',
    '{history_version_step,object_version_mismatch}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('new_version', h.new_version + 1) AS change
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND h.new_version = h.old_version + 1
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
--
-- What a failed CREATE INDEX CONCURRENTLY leaves. No statement takes the flag
-- away, and so it is taken from the catalogue itself.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'index_invalidated', 'definition',
    'an index of pgGit is not valid',
    '{index_invalid}',
    '{}',
    'statement', NULL,
$query$
SELECT format('index %s', i.indexrelid::regclass) AS object,
       format('UPDATE pg_catalog.pg_index SET indisvalid = false'
              ' WHERE indexrelid = %L::regclass', i.indexrelid::regclass) AS damage,
       format('UPDATE pg_catalog.pg_index SET indisvalid = true'
              ' WHERE indexrelid = %L::regclass', i.indexrelid::regclass) AS undo,
       format('SELECT i.indisvalid::text FROM pg_catalog.pg_index AS i'
              ' WHERE i.indexrelid = to_regclass(%L)', i.indexrelid::regclass) AS probe
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND i.indisvalid
   AND NOT i.indisprimary
 ORDER BY @extschema@._pick($1, i.indexrelid::regclass::text), i.indexrelid::regclass::text
 LIMIT 1
$query$);
--
-- A branch that was renamed by hand. The lost name is made of all names, and
-- so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'merge_conflict_dangling', 'merge',
    'a merge conflict is with a branch that does not exist',
    '{merge_conflict_branch_missing}',
    '{pggit.merge_conflicts.id,pggit.merge_conflicts.branch_b,pggit.branches.name}',
    'update', 'pggit.merge_conflicts',
$query$
SELECT m.ctid AS victim,
       jsonb_build_object('branch_b', md5(string_agg(b.name, ' '))) AS change
  FROM (SELECT k.ctid
          FROM ONLY pggit.merge_conflicts AS k
         WHERE k.branch_b IN (SELECT b.name FROM ONLY pggit.branches AS b)
         ORDER BY @extschema@._pick($1, k.id::text), k.id
         LIMIT 1) AS m
 CROSS JOIN ONLY pggit.branches AS b
 GROUP BY m.ctid
$query$);
--
-- A cascade that did not happen.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_deleted', 'object',
    'an object is gone and what refers to it is still there',
    '{history_object_missing,object_parent_missing,dependency_object_missing}',
    '{pggit.objects.id,pggit.objects.full_name,pggit.history.object_id}',
    'delete', 'pggit.objects',
$query$
SELECT o.ctid AS victim
  FROM ONLY pggit.objects AS o
 WHERE EXISTS (SELECT FROM ONLY pggit.history AS h WHERE h.object_id = o.id)
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- Whoever compares it with a computed hash sees a change where there is none.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_hash_garbled', 'object',
    'the DDL hash of an object is no hash',
    '{object_hash_malformed}',
    '{pggit.objects.id,pggit.objects.ddl_hash}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('ddl_hash', 'ddl ' || o.id) AS change
  FROM ONLY pggit.objects AS o
 WHERE COALESCE(o.ddl_hash ~ '^[0-9a-f]{64}$', true)
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- A branch that was renamed by hand. The lost name is made of all names, and
-- so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_orphaned', 'object',
    'an object is on a branch that does not exist',
    '{object_branch_missing}',
    '{pggit.objects.id,pggit.objects.full_name,pggit.objects.branch_name,pggit.branches.name}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('branch_name', md5(string_agg(b.name, ' '))) AS change
  FROM (SELECT k.ctid
          FROM ONLY pggit.objects AS k
         WHERE k.branch_name IN (SELECT b.name FROM ONLY pggit.branches AS b)
         ORDER BY @extschema@._pick($1, k.id::text), k.id
         LIMIT 1) AS o
 CROSS JOIN ONLY pggit.branches AS b
 GROUP BY o.ctid
$query$);
--
-- The foreign key is content, and a cascading delete would have no end.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_cycle', 'object',
    'a table belongs to one of its own columns',
    '{object_parent_cycle,object_parent_kind}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', max(c.id)) AS change
  FROM ONLY pggit.objects AS t
  JOIN ONLY pggit.objects AS c ON c.parent_id = t.id AND c.object_type = 'COLUMN'
 WHERE t.object_type = 'TABLE'
   AND t.parent_id IS NULL
 GROUP BY t.ctid, t.id
 ORDER BY @extschema@._pick($1, t.id::text), t.id
 LIMIT 1
$query$);
--
-- What a restore of some rows of a table leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_dangling', 'object',
    'a column belongs to a table that does not exist',
    '{object_parent_missing}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', (SELECT max(k.id) + 1000
                                          FROM ONLY pggit.objects AS k)) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'COLUMN'
   AND (o.parent_id IS NULL
        OR o.parent_id IN (SELECT k.id FROM ONLY pggit.objects AS k))
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- The foreign key is content. The parent is older than the child, and so there
-- is no cycle.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_misplaced', 'object',
    'a table belongs to another table',
    '{object_parent_kind}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', min(p.id)) AS change
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.object_type = 'TABLE' AND p.id < o.id
 WHERE o.object_type = 'TABLE'
   AND o.parent_id IS NULL
 GROUP BY o.ctid, o.id
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- The foreign key is content.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_swapped', 'object',
    'a column belongs to another table',
    '{object_parent_foreign}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', p.id) AS change
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p
    ON p.object_type = 'TABLE' AND NOT starts_with(o.full_name, p.full_name || '.')
 WHERE o.object_type = 'COLUMN'
   AND o.parent_id IS NOT NULL
   AND p.id <> o.parent_id
   AND o.id = (SELECT k.id
                 FROM ONLY pggit.objects AS k
                WHERE k.object_type = 'COLUMN'
                  AND k.parent_id IS NOT NULL
                ORDER BY @extschema@._pick($1, k.id::text), k.id
                LIMIT 1)
 ORDER BY @extschema@._pick($1, p.id::text), p.id
 LIMIT 1
$query$);
--
-- Every branch made from now on would get it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_resurrected', 'object',
    'an object that was dropped is active again',
    '{object_dropped_active}',
    '{pggit.objects.id,pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('is_active', true) AS change
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE NOT o.is_active
   AND h.change_type = 'DROP'
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- No function of pgGit finds the object any more.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_state_lost', 'object',
    'an object is neither active nor inactive',
    '{object_state_unknown}',
    '{pggit.objects.id,pggit.objects.is_active}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('is_active', NULL) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.is_active
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- A lost update: the next change would give a version a second time.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_version_regressed', 'object',
    'an object is back at an older version',
    '{object_version_mismatch}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name,pggit.objects.version,'
    'pggit.objects.updated_at,pggit.history.id,pggit.history.object_id,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('version', o.version - 1) AS change
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE o.version > 1
   AND h.created_at = o.updated_at
   AND COALESCE(h.new_version, h.old_version) = o.version
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                      AND s.version = o.version - 1)
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- pgGit has no check constraint here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_version_zeroed', 'object',
    'an object has the major version 0',
    '{object_version_invalid}',
    '{pggit.objects.id,pggit.objects.version_major}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('version_major', 0) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.version_major >= 1
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
--
-- Those behind foreign keys among them: a foreign key whose trigger is
-- disabled is there and does nothing. They are told apart by their constraint,
-- because their own names are made of OIDs.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trigger_disabled', 'definition',
    'a trigger of a table of pgGit is disabled',
    '{trigger_disabled}',
    '{}',
    'statement', NULL,
$query$
SELECT format('trigger of table %s', t.tgrelid::regclass) AS object,
       format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname) AS damage,
       format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
              CASE t.tgenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END,
              t.tgname) AS undo,
       format('SELECT t.tgenabled::text FROM pg_catalog.pg_trigger AS t'
              ' WHERE t.tgrelid = to_regclass(%L) AND t.tgname = %L',
              t.tgrelid::regclass, t.tgname) AS probe
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_class AS r ON r.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND p.pronamespace IS DISTINCT FROM to_regnamespace('@extschema@')
   AND t.tgenabled IN ('O', 'A')
 ORDER BY @extschema@._pick($1, concat_ws(' ', t.tgrelid::regclass, p.proname,
                                          COALESCE(c.conname, t.tgname))),
          t.tgrelid::regclass::text, t.tgname
 LIMIT 1
$query$);
--
-- The unique constraint on the hash sees nothing wrong. What referred to the
-- former hash dangles.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trinity_forged', 'commit',
    'a Trinity ID bears the number of another one',
    '{trinity_number_duplicate,commit_parent_missing,branch_head_missing,history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'update', 'pggit.commits',
$query$
WITH pair AS (
    SELECT c.ctid, c.id, c.hash, row_number() OVER (
               ORDER BY @extschema@._pick($1, c.id::text), c.id) AS place
      FROM ONLY pggit.commits AS c
     WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$')
SELECT forged.ctid AS victim,
       jsonb_build_object('hash', concat_ws('-', split_part(forged.hash, '-', 1),
                                            split_part(other.hash, '-', 2),
                                            left(md5(forged.hash), 8))) AS change
  FROM pair AS forged
  JOIN pair AS other ON other.place = 2
 WHERE forged.place = 1
   AND split_part(forged.hash, '-', 2) <> split_part(other.hash, '-', 2)
$query$);
--
-- What a restore of the tables without the sequence leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trinity_sequence_rewound', 'sequence',
    'the sequence of Trinity IDs starts again at numbers that commits bear',
    '{trinity_sequence_behind}',
    '{pggit.trinity_id_seq,pggit.commits.hash}',
    'sequence', NULL,
$query$
SELECT 'pggit.trinity_id_seq'::regclass AS sequence, 1 AS last_value, false AS is_called
 WHERE pg_sequence_last_value('pggit.trinity_id_seq'::regclass) IS NOT NULL
   AND EXISTS (SELECT
                 FROM ONLY pggit.commits AS c
                WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$')
$query$);
--
-- _row_shape(relation), _primary_key(relation), _row_identity(relation, image),
-- _find_row(relation, image), _replace_row(relation, victim, image)
--
-- A row image is the whole row as text.  Who calls these pins the settings that
-- output depends on (DateStyle and so on), so that equal rows have equal images.
--
CREATE FUNCTION @extschema@._row_shape(relation regclass)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                      ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped;
$function$;
COMMENT ON FUNCTION @extschema@._row_shape(regclass) IS
    'Lists the columns of a table with their types, in order.';

CREATE FUNCTION @extschema@._primary_key(relation regclass)
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(array_agg(a.attname ORDER BY k.position), '{}')
      FROM pg_catalog.pg_constraint AS c
     CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
      JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = c.conrelid AND a.attnum = k.attnum
     WHERE c.conrelid = relation
       AND c.contype = 'p';
$function$;
COMMENT ON FUNCTION @extschema@._primary_key(regclass) IS
    'Lists the columns of the primary key of a table; empty where it has none.';

CREATE FUNCTION @extschema@._row_identity(relation regclass, image text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_identity text;
BEGIN
    EXECUTE format('SELECT concat_ws('', '', %s) FROM (SELECT $1::%s AS image OFFSET 0) AS i',
                   COALESCE((SELECT string_agg(format('%L || (i.image).%I', k.name || '=', k.name),
                                               ', ')
                               FROM unnest(@extschema@._primary_key(relation)) AS k(name)),
                            'i.image::text'),
                   relation)
       INTO v_identity
      USING image;
    RETURN v_identity;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_identity(regclass, text) IS
    'Names a row by its primary key, as in id=17; by its whole image where the table has none.';

CREATE FUNCTION @extschema@._find_row(relation regclass, image text)
RETURNS tid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_row tid;
BEGIN
    -- The key is for speed; it is the whole image that decides.
    EXECUTE format('SELECT t.ctid'
                   '  FROM ONLY %1$s AS t'
                   '  JOIN (SELECT $1::%1$s AS image OFFSET 0) AS i ON (t.*)::text = $1%2$s'
                   ' LIMIT 1 FOR UPDATE OF t',
                   relation,
                   (SELECT string_agg(format(' AND t.%1$I = (i.image).%1$I', k.name), '')
                      FROM unnest(@extschema@._primary_key(relation)) AS k(name)))
       INTO v_row
      USING image;
    RETURN v_row;
END;
$function$;
COMMENT ON FUNCTION @extschema@._find_row(regclass, text) IS
    'Locks the row that equals an image and answers where it is; NULL where there is none.';

CREATE FUNCTION @extschema@._replace_row(relation regclass, victim tid, image text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns text;
    v_values  text;
    v_image   text;
BEGIN
    -- A generated column follows from the others, and GENERATED ALWAYS AS IDENTITY
    -- can be inserted but not updated.
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('(i.image).%I', a.attname), ', ' ORDER BY a.attnum)
      INTO v_columns, v_values
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped
       AND a.attgenerated = ''
       AND (a.attidentity <> 'a' OR victim IS NULL);
    IF image IS NULL THEN
        EXECUTE format('DELETE FROM ONLY %s AS t WHERE t.ctid = $1', relation)
          USING victim;
    ELSIF victim IS NULL THEN
        EXECUTE format('INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE'
                       ' SELECT %3$s FROM (SELECT $1::%1$s AS image OFFSET 0) AS i'
                       ' RETURNING (t.*)::text', relation, v_columns, v_values)
           INTO v_image
          USING image;
    ELSE
        EXECUTE format('UPDATE ONLY %1$s AS t SET (%2$s) = ROW(%3$s)'
                       '  FROM (SELECT $2::%1$s AS image OFFSET 0) AS i'
                       ' WHERE t.ctid = $1'
                       ' RETURNING (t.*)::text', relation, v_columns, v_values)
           INTO v_image
          USING victim, image;
    END IF;
    RETURN v_image;
END;
$function$;
COMMENT ON FUNCTION @extschema@._replace_row(regclass, tid, text) IS
    'Writes an image over a row; inserts it where there is no victim, deletes where no image.';
--
-- _sequence_state(sequence), _isolate_sequence(sequence),
-- _set_sequence_state(sequence, state)
--
-- A sequence state is (last_value,is_called) as text.  Neither the state nor
-- setval() is transactional, and so the sequence is rewritten first: to alter
-- its increment to what it is gives it a new file, which goes with a rollback,
-- and keeps other sessions out until the end of the transaction.
--
CREATE FUNCTION @extschema@._sequence_state(sequence regclass)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_state text;
BEGIN
    EXECUTE format('SELECT (s.last_value, s.is_called)::text FROM %s AS s', sequence)
       INTO v_state;
    RETURN v_state;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sequence_state(regclass) IS
    'Reads the last value of a sequence and whether it has been handed out, as text.';

CREATE FUNCTION @extschema@._isolate_sequence(sequence regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s', sequence,
                   (SELECT s.seqincrement
                      FROM pg_catalog.pg_sequence AS s
                     WHERE s.seqrelid = sequence));
END;
$function$;
COMMENT ON FUNCTION @extschema@._isolate_sequence(regclass) IS
    'Rewrites a sequence as it is, so that what setval() does to it is undone by rollback.';

CREATE FUNCTION @extschema@._set_sequence_state(sequence regclass, state text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_part text[] := regexp_match(state, '^\((-?\d+),([tf])\)$');
BEGIN
    PERFORM setval(sequence, v_part[1]::bigint, v_part[2]::boolean);
END;
$function$;
COMMENT ON FUNCTION @extschema@._set_sequence_state(regclass, text) IS
    'Puts a sequence into a state that _sequence_state() has read.';
--
-- NaN is greater than 100 and so is found too.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_efficiency_range', 'branch', 'warning', 'pggit.branches',
    'the storage efficiency of a branch is a percentage',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.storage_efficiency}',
    'Set storage_efficiency to a value from 0 to 100.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has storage efficiency %s', b.name, b.storage_efficiency)
  FROM ONLY pggit.branches AS b
 WHERE b.storage_efficiency NOT BETWEEN 0 AND 100
$query$);
--
-- Where heads or parents are not kept there is nothing to find.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_head_behind', 'branch', 'error', 'pggit.branches',
    'the head of a branch is its newest commit',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,'
    'pggit.commits.hash,pggit.commits.branch_id,pggit.commits.parent_commit_hash}',
    'Set head_commit_hash to the newest commit of the branch.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has head "%s", which is the parent of "%s" on the same branch',
              b.name, b.head_commit_hash, min(c.hash))
  FROM ONLY pggit.branches AS b
  JOIN ONLY pggit.commits AS c
    ON c.parent_commit_hash = b.head_commit_hash AND c.branch_id = b.id
 GROUP BY b.id, b.name, b.head_commit_hash
$query$);
--
-- Some releases of pgGit never move a head, and give a new branch a SHA-256
-- that is no commit. Such a head counts only where another one resolves.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_head_missing', 'branch', 'error', 'pggit.branches',
    'the head of a branch is a commit',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,pggit.commits.hash}',
    'Restore the missing commit from a backup, or set head_commit_hash to the newest commit of '
    'the branch.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has head "%s", which does not exist', b.name, b.head_commit_hash)
  FROM ONLY pggit.branches AS b
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.hash = b.head_commit_hash)
   AND b.head_commit_hash IS NOT NULL
   AND (b.head_commit_hash !~ '^[0-9a-f]{64}$'
        OR EXISTS (SELECT
                     FROM ONLY pggit.branches AS k
                     JOIN ONLY pggit.commits AS c ON c.hash = k.head_commit_hash))
$query$);
--
-- Its name and its id are written into pgGit's functions and column defaults.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_main_missing', 'branch', 'error', 'pggit.branches',
    'there is a branch main',
    '{pggit.branches.id,pggit.branches.name}',
    'Restore branch main with id 1 from a backup, or rename it back.',
$query$
SELECT 'name=main',
       'there is no branch "main"'
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.name = 'main')
UNION ALL
SELECT 'name=main',
       format('branch "main" has id %s', b.id)
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND b.id <> 1
$query$);
--
-- pgGit protects it from deletion, and all other branches come from it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_main_state', 'branch', 'error', 'pggit.branches',
    'branch main is active and has no parent',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.parent_branch_id}',
    'Run UPDATE pggit.branches SET status = ''ACTIVE'', parent_branch_id = NULL WHERE name = '
    '''main''.',
$query$
SELECT 'name=main',
       format('branch "main" has %s',
              concat_ws(' and ',
                        CASE WHEN b.status <> 'ACTIVE' THEN 'status ' || b.status END,
                        CASE WHEN b.parent_branch_id IS NOT NULL
                             THEN 'parent ' || b.parent_branch_id END))
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND (b.status <> 'ACTIVE' OR b.parent_branch_id IS NOT NULL)
$query$);
--
-- The reverse is no rule: a deleted branch bears both as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_merge_incomplete', 'branch', 'error', 'pggit.branches',
    'a merged branch says when and by whom it was merged',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.merged_at,'
    'pggit.branches.merged_by}',
    'Restore status, merged_at and merged_by from a backup.',
$query$
SELECT format('id=%s', b.id),
       CASE WHEN b.merged_at IS NULL AND b.merged_by IS NULL
            THEN format('branch "%s" has status %s, and no time of a merge', b.name, b.status)
            ELSE format('branch "%s" has %s, and not %s', b.name,
                        CASE WHEN b.merged_at IS NULL THEN 'who merged it'
                             ELSE 'when it was merged' END,
                        CASE WHEN b.merged_at IS NULL THEN 'when' ELSE 'by whom' END)
       END
  FROM ONLY pggit.branches AS b
 WHERE b.status = 'MERGED' AND b.merged_at IS NULL
    OR (b.merged_at IS NULL) <> (b.merged_by IS NULL)
$query$);
--
-- Two branches of one name come with a unique index that is damaged, invalid
-- or gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_name_duplicate', 'branch', 'error', 'pggit.branches',
    'the name of a branch is its own',
    '{pggit.branches.id,pggit.branches.name}',
    'Rename all branches of that name but one, and see to the unique constraint.',
$query$
SELECT format('id=%s', max(b.id)),
       format('name "%s" belongs to %s branches, the first of which is %s', b.name, count(*),
              min(b.id))
  FROM ONLY pggit.branches AS b
 GROUP BY b.name
HAVING count(*) > 1
$query$);
--
-- A check constraint says so, and a check constraint can be dropped, or not be
-- valid.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_name_malformed', 'branch', 'error', 'pggit.branches',
    'the name of a branch is made of the characters that pgGit allows',
    '{pggit.branches.id,pggit.branches.name}',
    'Rename the branch, and see to the check constraint.',
$query$
SELECT format('id=%s', b.id),
       format('branch %s has the malformed name "%s"', b.id, b.name)
  FROM ONLY pggit.branches AS b
 WHERE b.name !~ '^[a-zA-Z0-9._/#-]+$'
$query$);
--
-- It walks from the edges that run against the order of ids: each cycle has
-- one.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_parent_cycle', 'branch', 'error', 'pggit.branches',
    'no branch is its own ancestor',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'Set parent_branch_id of one branch of the cycle to its true parent.',
$query$
WITH RECURSIVE walk(id, name, next) AS (
    SELECT b.id, b.name, b.parent_branch_id
      FROM ONLY pggit.branches AS b
     WHERE b.parent_branch_id >= b.id
    UNION
    SELECT w.id, w.name, p.parent_branch_id
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_branch_id
                           FROM ONLY pggit.branches AS p
                          WHERE p.id = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.id)
SELECT format('id=%s', w.id),
       format('branch "%s" is its own ancestor', w.name)
  FROM walk AS w
 WHERE w.next = w.id
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_parent_missing', 'branch', 'error', 'pggit.branches',
    'the parent of a branch is a branch',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'Restore the parent from a backup, or set parent_branch_id to the branch that is the '
    'parent.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" names parent %s, which does not exist', b.name, b.parent_branch_id)
  FROM ONLY pggit.branches AS b
 WHERE b.parent_branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS p
                    WHERE p.id = b.parent_branch_id)
$query$);
--
-- pgGit's functions look for branches by status, and do not find one without.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branch_status_missing', 'branch', 'error', 'pggit.branches',
    'a branch has a status',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'Set the status that the branch had: ACTIVE, MERGED, DELETED or CONFLICTED.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has no status', b.name)
  FROM ONLY pggit.branches AS b
 WHERE b.status IS NULL
$query$);
--
-- A warning: whoever drops the table by hand causes it as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branched_table_missing', 'data', 'warning', 'pggit.branched_tables',
    'the copy that a data branch has of a table exists',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_name,'
    'pggit.branched_tables.branch_schema,pggit.branched_tables.branch_table}',
    'Restore the table from a backup, or delete the row.',
$query$
SELECT format('id=%s', t.id),
       format('branch "%s" has its copy in table "%s"."%s", which does not exist',
              t.branch_name, t.branch_schema, t.branch_table)
  FROM ONLY pggit.branched_tables AS t
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class AS c
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = t.branch_schema
                      AND c.relname = t.branch_table)
$query$);
--
-- pgGit writes both in one transaction, and has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'branched_table_stats_missing', 'data', 'error', 'pggit.branched_tables',
    'the statistics of a data branch exist',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_name,'
    'pggit.branch_storage_stats.branch_name}',
    'Insert the missing row into pggit.branch_storage_stats.',
$query$
SELECT format('id=%s', t.id),
       format('branch "%s" has branched tables, and no storage statistics', t.branch_name)
  FROM ONLY pggit.branched_tables AS t
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branch_storage_stats AS s
                    WHERE s.branch_name = t.branch_name)
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_branch_missing', 'commit', 'error', 'pggit.commits',
    'the branch of a commit exists',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or move the commit to the branch that it belongs to.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" is on branch %s, which does not exist', c.hash, c.branch_id)
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = c.branch_id)
$query$);
--
-- pgGit fills all of them, an empty message included, and none of its columns
-- is NOT NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_field_missing', 'commit', 'error', 'pggit.commits',
    'a commit has a message, an author, a committer and a time',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.message,pggit.commits.author,'
    'pggit.commits.committer,pggit.commits.committed_at}',
    'Restore the missing values from a backup.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" has no %s', c.hash,
              concat_ws(', no ',
                        CASE WHEN c.message IS NULL THEN 'message' END,
                        CASE WHEN c.author IS NULL THEN 'author' END,
                        CASE WHEN c.committer IS NULL THEN 'committer' END,
                        CASE WHEN c.committed_at IS NULL THEN 'time' END))
  FROM ONLY pggit.commits AS c
 WHERE c.message IS NULL
    OR c.author IS NULL
    OR c.committer IS NULL
    OR c.committed_at IS NULL
$query$);
--
-- Two commits of one hash come with a unique index that is damaged, invalid or
-- gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_hash_duplicate', 'commit', 'error', 'pggit.commits',
    'the hash of a commit is its own',
    '{pggit.commits.id,pggit.commits.hash}',
    'Find out which of the commits the hash belongs to, give the others new ones, and see to '
    'the unique constraint.',
$query$
SELECT format('id=%s', max(c.id)),
       format('hash "%s" belongs to %s commits, the first of which is %s', c.hash, count(*),
              min(c.id))
  FROM ONLY pggit.commits AS c
 GROUP BY c.hash
HAVING count(*) > 1
$query$);
--
-- A commit without a hash can be nobody's parent and no branch's head.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_hash_empty', 'commit', 'error', 'pggit.commits',
    'a commit has a hash',
    '{pggit.commits.id,pggit.commits.hash}',
    'Restore the hash from a backup: nothing else in pgGit holds it.',
$query$
SELECT format('id=%s', c.id),
       format('commit %s has an empty hash', c.id)
  FROM ONLY pggit.commits AS c
 WHERE btrim(c.hash) = ''
$query$);
--
-- Ids grow from parent to child, and so each cycle has an edge that runs
-- against them. Only from there does it walk: a sound history of any length
-- costs one join.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_parent_cycle', 'commit', 'error', 'pggit.commits',
    'no commit is its own ancestor',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'Set parent_commit_hash of one commit of the cycle to its true parent, or to NULL.',
$query$
WITH RECURSIVE walk(id, hash, next) AS (
    SELECT c.id, c.hash, c.parent_commit_hash
      FROM ONLY pggit.commits AS c
      JOIN ONLY pggit.commits AS p ON p.hash = c.parent_commit_hash
     WHERE p.id >= c.id
    UNION
    SELECT w.id, w.hash, p.parent_commit_hash
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_commit_hash
                           FROM ONLY pggit.commits AS p
                          WHERE p.hash = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.hash)
SELECT format('id=%s', w.id),
       format('commit "%s" is its own ancestor', w.hash)
  FROM walk AS w
 WHERE w.next = w.hash
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_parent_missing', 'commit', 'error', 'pggit.commits',
    'the parent of a commit is a commit',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'Restore the missing commit from a backup, or set parent_commit_hash to the commit that is '
    'the parent.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" names parent "%s", which does not exist', c.hash,
              c.parent_commit_hash)
  FROM ONLY pggit.commits AS c
 WHERE c.parent_commit_hash IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS p
                    WHERE p.hash = c.parent_commit_hash)
$query$);
--
-- The column has no time zone and is written in that of the session: 14 hours
-- ahead of UTC is the most that can be meant.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_time_future', 'commit', 'warning', 'pggit.commits',
    'no commit is of a time to come',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'Correct committed_at, and the clock if it was that.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, which is still to come', c.hash, c.committed_at)
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at > (now() AT TIME ZONE 'UTC') + interval '15 hours'
$query$);
--
-- Both times are written by one statement, and so equality is the rule.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_time_order', 'commit', 'warning', 'pggit.commits',
    'a commit is committed when or after it is authored',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.authored_at,pggit.commits.committed_at}',
    'Correct whichever time is wrong.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, before it was authored at %s', c.hash,
              c.committed_at, c.authored_at)
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at < c.authored_at
$query$);
--
-- It may be NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'commit_tree_hash_malformed', 'commit', 'error', 'pggit.commits',
    'the tree hash of a commit is a SHA-256',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.tree_hash}',
    'Restore tree_hash from a backup, or set it to NULL.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" has tree hash "%s", which is not 64 hexadecimal digits', c.hash,
              c.tree_hash)
  FROM ONLY pggit.commits AS c
 WHERE c.tree_hash !~ '^[0-9a-f]{64}$'
$query$);
--
-- Known by table, kind and columns: names differ between releases.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'constraint_missing', 'definition', 'error', 'pg_catalog.pg_constraint',
    'the keys and foreign keys of the core tables exist',
    '{}',
    'Add the constraint again, NOT VALID where the rows do not fulfil it yet.',
$query$
SELECT format('constraint=%s %s(%s)', t.relation, t.kind, array_to_string(t.columns, ',')),
       format('table "%s" has no %s on (%s)', t.relation,
              CASE t.kind WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
                          ELSE format('foreign key to "%s"', t.target) END,
              array_to_string(t.columns, ', '))
  FROM (SELECT v.relation, v.kind, v.columns::name[], v.target
          FROM (VALUES
               ('pggit.branches', 'p', '{id}', NULL),
               ('pggit.branches', 'u', '{name}', NULL),
               ('pggit.branches', 'f', '{parent_branch_id}', 'pggit.branches'),
               ('pggit.commits', 'p', '{id}', NULL),
               ('pggit.commits', 'u', '{hash}', NULL),
               ('pggit.commits', 'f', '{branch_id}', 'pggit.branches'),
               ('pggit.objects', 'p', '{id}', NULL),
               ('pggit.objects', 'u', '{object_type,schema_name,object_name,branch_name}', NULL),
               ('pggit.objects', 'f', '{parent_id}', 'pggit.objects'),
               ('pggit.history', 'p', '{id}', NULL),
               ('pggit.history', 'f', '{object_id}', 'pggit.objects'),
               ('pggit.history', 'f', '{branch_id}', 'pggit.branches')
               ) AS v(relation, kind, columns, target)) AS t
 WHERE to_regclass(t.relation) IS NOT NULL
   AND NOT EXISTS (
       SELECT
         FROM pg_catalog.pg_constraint AS c
        WHERE c.conrelid = to_regclass(t.relation)
          AND c.contype::text = t.kind
          AND (t.target IS NULL OR c.confrelid = to_regclass(t.target))
          AND t.columns = ARRAY(SELECT a.attname
                                  FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
                                  JOIN pg_catalog.pg_attribute AS a
                                    ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                                 ORDER BY k.position))
$query$);
--
-- The sign of a constraint that was added NOT VALID over rows that do not
-- fulfil it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'constraint_unvalidated', 'definition', 'warning', 'pg_catalog.pg_constraint',
    'the constraints of pgGit hold for every row',
    '{}',
    'Run ALTER TABLE ... VALIDATE CONSTRAINT: it names the first row that is wrong.',
$query$
SELECT format('constraint=%s.%I', c.conrelid::regclass, c.conname),
       format('constraint "%s" of table "%s" is not valid for every row', c.conname,
              c.conrelid::regclass)
  FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND NOT c.convalidated
$query$);
--
-- This one always runs: where a table is missing, the checks that read it do
-- not, and their silence must not pass for soundness.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'core_relation_missing', 'definition', 'error', 'pg_catalog.pg_class',
    'the core tables of pgGit exist, with the columns that the checks read',
    '{}',
    'Reinstall pgGit, or restore its schema from a backup: checks that read what is missing do '
    'not run.',
$query$
SELECT format('relation=%s%s', t.name, '.' || a.name),
       CASE WHEN c.oid IS NULL THEN format('table "%s" does not exist', t.name)
            ELSE format('table "%s" has no column "%s"', t.name, a.name)
       END
  FROM (VALUES
       ('pggit.branches', '{id,name,parent_branch_id,head_commit_hash,status,merged_at,merged_by}'),
       ('pggit.commits', '{id,hash,branch_id,parent_commit_hash,message,author,authored_at,'
                         'committer,committed_at}'),
       ('pggit.objects', '{id,object_type,schema_name,object_name,full_name,parent_id,branch_id,'
                         'branch_name,version,version_major,version_minor,version_patch,'
                         'is_active,updated_at}'),
       ('pggit.history', '{id,object_id,change_type,change_severity,commit_hash,branch_id,'
                         'old_version,new_version,created_at,created_by}')
       ) AS t(name, columns)
  LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid = to_regclass(t.name) AND c.relkind IN ('r', 'p')
  LEFT JOIN LATERAL unnest(t.columns::text[]) AS a(name) ON c.oid IS NOT NULL
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_attribute AS p
                    WHERE p.attrelid = c.oid
                      AND p.attname = a.name
                      AND p.attnum > 0
                      AND NOT p.attisdropped)
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'data_branch_missing', 'data', 'error', 'pggit.data_branches',
    'the branch of a data branch exists',
    '{pggit.data_branches.id,pggit.data_branches.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or delete the row.',
$query$
SELECT format('id=%s', d.id),
       format('data branch %s is on branch %s, which does not exist', d.id, d.branch_id)
  FROM ONLY pggit.data_branches AS d
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = d.branch_id)
$query$);
--
-- A warning: whoever drops the table by hand causes it as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'data_branch_table_missing', 'data', 'warning', 'pggit.data_branches',
    'the table of a data branch exists',
    '{pggit.data_branches.id,pggit.data_branches.table_schema,pggit.data_branches.table_name}',
    'Restore the table from a backup, or delete the row.',
$query$
SELECT format('id=%s', d.id),
       format('data branch %s is of table "%s"."%s", which does not exist', d.id,
              d.table_schema, d.table_name)
  FROM ONLY pggit.data_branches AS d
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class AS c
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = d.table_schema
                      AND c.relname = d.table_name)
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'dependency_branch_missing', 'dependency', 'error', 'pggit.dependencies',
    'the branch of a dependency exists',
    '{pggit.dependencies.id,pggit.dependencies.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or delete the dependency.',
$query$
SELECT format('id=%s', d.id),
       format('dependency %s is on branch %s, which does not exist', d.id, d.branch_id)
  FROM ONLY pggit.dependencies AS d
 WHERE d.branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = d.branch_id)
$query$);
--
-- Tables may refer to each other in circles, and a view may be noted as its
-- own dependant. Any other cycle has an edge that runs against the order of
-- ids; a foreign key can be the only one only where tables have other
-- dependencies as well. Or it leaves a table for something that is none.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'dependency_cycle', 'dependency', 'error', 'pggit.dependencies',
    'nothing but foreign keys makes an object depend on itself by way of others',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type,pggit.objects.id,pggit.objects.object_type}',
    'Delete the dependency of the cycle that the catalogue does not have.',
$query$
WITH RECURSIVE walk(id, dependent_id, next, is_cycle) AS (
    SELECT d.id, d.dependent_id, d.depends_on_id, d.dependency_type <> 'foreign_key'
      FROM ONLY pggit.dependencies AS d
      LEFT JOIN ONLY pggit.objects AS o ON o.id = d.dependent_id
      LEFT JOIN ONLY pggit.objects AS p ON p.id = d.depends_on_id
     WHERE d.dependent_id < d.depends_on_id
       AND (d.dependency_type <> 'foreign_key'
            OR EXISTS (SELECT
                         FROM ONLY pggit.dependencies AS t
                         JOIN ONLY pggit.objects AS k
                           ON k.id = t.dependent_id AND k.object_type = 'TABLE'
                        WHERE t.dependency_type <> 'foreign_key'
                          AND t.dependent_id > t.depends_on_id))
        OR d.dependent_id > d.depends_on_id
       AND d.dependency_type <> 'foreign_key'
       AND o.object_type = 'TABLE'
       AND p.object_type <> 'TABLE'
    UNION
    SELECT w.id, w.dependent_id, d.depends_on_id,
           w.is_cycle OR d.dependency_type <> 'foreign_key'
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT d.depends_on_id, d.dependency_type
                           FROM ONLY pggit.dependencies AS d
                          WHERE d.dependent_id = w.next
                         OFFSET 0) AS d
     WHERE w.next <> w.dependent_id)
SELECT format('id=%s', w.id),
       format('by dependency %s, object %s depends on itself', w.id, w.dependent_id)
  FROM walk AS w
 WHERE w.next = w.dependent_id
   AND w.is_cycle
$query$);
--
-- Foreign keys say so, and a foreign key can be dropped, disabled or bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'dependency_object_missing', 'dependency', 'error', 'pggit.dependencies',
    'both ends of a dependency exist',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.objects.id}',
    'Restore the object from a backup, or delete the dependency.',
$query$
SELECT format('id=%s', d.id),
       format('dependency %s names object %s, which does not exist', d.id, e.object_id)
  FROM ONLY pggit.dependencies AS d
 CROSS JOIN LATERAL (VALUES (d.dependent_id), (d.depends_on_id)) AS e(object_id)
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                    WHERE o.id = e.object_id)
$query$);
--
-- More labels do no harm.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'enum_label_missing', 'definition', 'error', 'pg_catalog.pg_enum',
    'the enum types of pgGit have the labels that it writes',
    '{}',
    'Run ALTER TYPE ... RENAME VALUE or ADD VALUE.',
$query$
SELECT format('type=%s', t.name),
       format('type "%s" has no label "%s"', t.name, l.label)
  FROM (VALUES
       ('pggit.object_type', '{SCHEMA,TABLE,COLUMN,INDEX,CONSTRAINT,VIEW,MATERIALIZED_VIEW,'
                             'FUNCTION,PROCEDURE,TRIGGER,TYPE,SEQUENCE,PARTITION,BRANCH,COMMIT,'
                             'TAG}'),
       ('pggit.change_type', '{CREATE,ALTER,DROP,RENAME,COMMENT,BRANCH,MERGE,CONFLICT_RESOLVED}'),
       ('pggit.change_severity', '{MAJOR,MINOR,PATCH}'),
       ('pggit.branch_status', '{ACTIVE,MERGED,DELETED,CONFLICTED}'),
       ('pggit.merge_resolution', '{AUTO_RESOLVED,MANUAL_RESOLVED,CONFLICT_PENDING,MERGE_REJECTED}')
       ) AS t(name, labels)
 CROSS JOIN LATERAL unnest(t.labels::text[]) AS l(label)
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_enum AS e
                    WHERE e.enumtypid = to_regtype(t.name)
                      AND e.enumlabel = l.label)
$query$);
--
-- An event trigger cannot be altered, but it can be replaced under its name.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'event_trigger_altered', 'definition', 'error', 'pg_catalog.pg_event_trigger',
    'the event triggers of pgGit fire when they should and call what they should',
    '{}',
    'Drop the event trigger and create it again as pgGit''s installer does.',
$query$
SELECT format('name=%s', t.name),
       format('event trigger "%s" calls %s on %s%s', t.name, e.evtfoid::regprocedure, e.evtevent,
              ' for ' || array_to_string(e.evttags, ', ') || ' only')
  FROM (VALUES ('pggit_ddl_trigger', 'ddl_command_end', 'handle_ddl_command'),
               ('pggit_drop_trigger', 'sql_drop', 'handle_sql_drop')) AS t(name, event, function)
  JOIN pg_catalog.pg_event_trigger AS e ON e.evtname = t.name
  JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE e.evtevent <> t.event
    OR e.evttags IS NOT NULL
    OR (n.nspname, p.proname) IS DISTINCT FROM ('pggit', t.function)
$query$);
--
-- pgGit's enhanced event triggers may stand in for the two that it always has;
-- then it disables both of them.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'event_trigger_disabled', 'definition', 'error', 'pg_catalog.pg_event_trigger',
    'the event triggers that tell pgGit of DDL are enabled',
    '{}',
    'Run ALTER EVENT TRIGGER ... ENABLE.',
$query$
WITH deaf AS (
    SELECT e.evtname, e.evtenabled
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
       AND e.evtenabled NOT IN ('O', 'A'))
SELECT format('name=%s', d.evtname),
       format('event trigger "%s" %s', d.evtname,
              CASE d.evtenabled WHEN 'R' THEN 'fires on replicas only' ELSE 'is disabled' END)
  FROM deaf AS d
 WHERE NOT ((SELECT count(*) FROM deaf) = 2
            AND (SELECT count(*)
                   FROM pg_catalog.pg_event_trigger AS e
                  WHERE e.evtname IN ('pggit_enhanced_ddl_trigger', 'pggit_enhanced_drop_trigger')
                    AND e.evtenabled IN ('O', 'A')) = 2)
$query$);
--
-- Without them DDL goes on, and pgGit does not hear of it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'event_trigger_missing', 'definition', 'error', 'pg_catalog.pg_event_trigger',
    'the event triggers that tell pgGit of DDL exist',
    '{}',
    'Create the event trigger again as pgGit''s installer does.',
$query$
SELECT format('name=%s', t.name),
       format('there is no event trigger "%s"', t.name)
  FROM (VALUES ('pggit_ddl_trigger'), ('pggit_drop_trigger')) AS t(name)
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_event_trigger AS e
                    WHERE e.evtname = t.name)
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_branch_missing', 'history', 'error', 'pggit.history',
    'the branch of a history row exists',
    '{pggit.history.id,pggit.history.branch_id,pggit.branches.id}',
    'Restore the branch from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s is on branch %s, which does not exist', h.id, h.branch_id)
  FROM ONLY pggit.history AS h
 WHERE h.branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = h.branch_id)
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_commit_missing', 'history', 'error', 'pggit.history',
    'the commits that a history row names exist',
    '{pggit.history.id,pggit.history.commit_hash,pggit.history.merge_base_hash,pggit.commits.hash}',
    'Restore the commit from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s names commit "%s", which does not exist', h.id, n.hash)
  FROM ONLY pggit.history AS h
 CROSS JOIN LATERAL (VALUES (h.commit_hash), (h.merge_base_hash)) AS n(hash)
 WHERE n.hash IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS c
                    WHERE c.hash = n.hash)
$query$);
--
-- So pgGit writes it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_drop_malformed', 'history', 'error', 'pggit.history',
    'a drop is a major change that leads to no version',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.change_severity,pggit.history.new_version}',
    'Set change_severity to MAJOR and new_version to NULL.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s drops object %s as a %s change to version %s', h.id, h.object_id,
              h.change_severity, COALESCE(h.new_version::text, 'none'))
  FROM ONLY pggit.history AS h
 WHERE h.change_type = 'DROP'
   AND (h.new_version IS NOT NULL OR h.change_severity <> 'MAJOR')
$query$);
--
-- Two transactions may reach one version, but not from one time; one
-- transaction may write twice at one time, but not one version.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_duplicate', 'history', 'error', 'pggit.history',
    'a change is in the history once',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'Delete the later of the rows.',
$query$
SELECT format('id=%s', max(h.id)),
       format('the %s of object %s from version %s to %s at %s is there %s times, first as %s',
              h.change_type, h.object_id, h.old_version, COALESCE(h.new_version::text, 'none'),
              h.created_at, count(*), min(h.id))
  FROM ONLY pggit.history AS h
 WHERE h.old_version IS NOT NULL
 GROUP BY h.object_id, h.change_type, h.old_version, h.new_version, h.created_at
HAVING count(*) > 1
$query$);
--
-- Both are column defaults, and neither column is NOT NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_field_missing', 'history', 'error', 'pggit.history',
    'a history row says when and by whom',
    '{pggit.history.id,pggit.history.created_at,pggit.history.created_by}',
    'Restore the missing values from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s has no %s', h.id,
              concat_ws(', no ',
                        CASE WHEN h.created_at IS NULL THEN 'time' END,
                        CASE WHEN h.created_by IS NULL THEN 'author' END))
  FROM ONLY pggit.history AS h
 WHERE h.created_at IS NULL
    OR h.created_by IS NULL
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_object_missing', 'history', 'error', 'pggit.history',
    'the object of a history row exists',
    '{pggit.history.id,pggit.history.object_id,pggit.objects.id}',
    'Restore the object from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s is of object %s, which does not exist', h.id, h.object_id)
  FROM ONLY pggit.history AS h
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                    WHERE o.id = h.object_id)
$query$);
--
-- Concurrent changes may reach one version twice, and a merge may bring one
-- that was reached on another branch; but one that nobody reached was lost.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_version_gap', 'history', 'error', 'pggit.history',
    'a history leaves out no version',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'Restore the missing rows of history from a backup.',
$query$
SELECT format('id=%s', r.id),
       format('history row %s takes object %s on from version %s, and only %s was reached',
              r.id, r.object_id, r.old_version, r.reached)
  FROM (SELECT h.id, h.object_id, h.old_version,
               max(COALESCE(h.new_version, h.old_version)) OVER (
                   PARTITION BY h.object_id ORDER BY h.id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
          FROM ONLY pggit.history AS h) AS r
 WHERE r.old_version > r.reached
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                     JOIN ONLY pggit.objects AS s
                       ON s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                     JOIN ONLY pggit.history AS h ON h.object_id = s.id
                    WHERE o.id = r.object_id
                      AND h.new_version = r.old_version)
$query$);
--
-- A drop has its own rule, and a row without versions has none.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'history_version_step', 'history', 'error', 'pggit.history',
    'each change raises the version by one',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version}',
    'Correct the versions by those of the rows before and after.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s (%s) takes object %s from version %s to %s', h.id, h.change_type,
              h.object_id, COALESCE(h.old_version::text, 'none'),
              COALESCE(h.new_version::text, 'none'))
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND COALESCE(h.old_version, h.new_version) IS NOT NULL
   AND h.new_version IS DISTINCT FROM COALESCE(h.old_version, 0) + 1
$query$);
--
-- What a failed CREATE INDEX CONCURRENTLY leaves; for a moment also one that
-- is still at work.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'index_invalid', 'definition', 'error', 'pg_catalog.pg_index',
    'the indexes of pgGit are valid',
    '{}',
    'Run REINDEX INDEX.',
$query$
SELECT format('index=%s', i.indexrelid::regclass),
       format('index "%s" of table "%s" is not %s', i.indexrelid::regclass,
              i.indrelid::regclass,
              CASE WHEN NOT i.indislive THEN 'live' WHEN NOT i.indisready THEN 'ready'
                   ELSE 'valid' END)
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND NOT (i.indisvalid AND i.indisready AND i.indislive)
$query$);
--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'merge_conflict_branch_missing', 'merge', 'error', 'pggit.merge_conflicts',
    'the branches of a merge conflict exist',
    '{pggit.merge_conflicts.id,pggit.merge_conflicts.branch_a,pggit.merge_conflicts.branch_b,'
    'pggit.branches.name}',
    'Restore the branch from a backup, or rename it back.',
$query$
SELECT format('id=%s', m.id),
       format('merge conflict %s names branch "%s", which does not exist', m.id, e.branch_name)
  FROM ONLY pggit.merge_conflicts AS m
 CROSS JOIN LATERAL (VALUES (m.branch_a), (m.branch_b)) AS e(branch_name)
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.name = e.branch_name)
$query$);
--
-- An object names its branch twice, by name and by id, and pgGit has a foreign
-- key for neither.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_branch_missing', 'object', 'error', 'pggit.objects',
    'the branch of an object exists',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.branch_id,pggit.objects.branch_name,pggit.branches.id,pggit.branches.name}',
    'Restore the branch from a backup, or move the object to the branch that it belongs to.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is on branch "%s" (%s), which does not exist', o.object_type, o.full_name,
              o.branch_name, o.branch_id)
  FROM ONLY pggit.objects AS o
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.name = o.branch_name)
    OR NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.id = o.branch_id)
$query$);
--
-- Only a drop makes an object inactive, and it writes both in one transaction.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_drop_unrecorded', 'object', 'error', 'pggit.objects',
    'the drop of an object is in its history',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.is_active,pggit.history.object_id,pggit.history.change_type}',
    'Restore the history of the object from a backup, or set is_active if it was never dropped.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is not active, and its history knows of no drop', o.object_type,
              o.full_name)
  FROM ONLY pggit.objects AS o
 WHERE NOT o.is_active
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.history AS h
                    WHERE h.object_id = o.id
                      AND h.change_type = 'DROP')
$query$);
--
-- The reverse is no rule: pgGit may go on to version what it holds for
-- dropped.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_dropped_active', 'object', 'error', 'pggit.objects',
    'an object that was dropped last is not active',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'Set is_active to whether the object exists.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is active, and the last that its history knows is its drop',
              o.object_type, o.full_name)
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE o.is_active
   AND h.change_type = 'DROP'
$query$);
--
-- It may be NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_hash_malformed', 'object', 'error', 'pggit.objects',
    'the DDL hash of an object is a SHA-256',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.ddl_hash}',
    'Set ddl_hash to NULL and have pgGit compute it anew.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has DDL hash "%s", which is not 64 hexadecimal digits', o.object_type,
              o.full_name, o.ddl_hash)
  FROM ONLY pggit.objects AS o
 WHERE o.ddl_hash !~ '^[0-9a-f]{64}$'
$query$);
--
-- A branch starts out with copies of objects and without their history. What a
-- merge brought to main may have its history on the branch that it came from.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_history_missing', 'object', 'error', 'pggit.objects',
    'an object of main that has changed has a history',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.history.object_id}',
    'Restore the history of the object from a backup.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s and no history', o.object_type, o.full_name, o.version)
  FROM ONLY pggit.objects AS o
 WHERE o.branch_name = 'main'
   AND o.version > 1
   AND NOT EXISTS (SELECT FROM ONLY pggit.history AS h WHERE h.object_id = o.id)
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                     JOIN ONLY pggit.history AS h ON h.object_id = s.id
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name)
$query$);
--
-- Two rows for one object come with a unique index that is damaged, invalid or
-- gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_identity_duplicate', 'object', 'error', 'pggit.objects',
    'an object is there once on a branch',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name}',
    'Move the history of the later rows to the first, delete them, and see to the unique '
    'constraint.',
$query$
SELECT format('id=%s', max(o.id)),
       format('%s "%s"."%s" is there %s times on branch "%s", first as %s', o.object_type,
              o.schema_name, o.object_name, count(*), o.branch_name, min(o.id))
  FROM ONLY pggit.objects AS o
 GROUP BY o.object_type, o.schema_name, o.object_name, o.branch_name
HAVING count(*) > 1
$query$);
--
-- It walks from the edges that run against the order of ids: each cycle has
-- one.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_parent_cycle', 'object', 'error', 'pggit.objects',
    'no object is its own ancestor',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id of one object of the cycle to its true parent, or to NULL.',
$query$
WITH RECURSIVE walk(id, next) AS (
    SELECT o.id, o.parent_id
      FROM ONLY pggit.objects AS o
     WHERE o.parent_id >= o.id
    UNION
    SELECT w.id, p.parent_id
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_id
                           FROM ONLY pggit.objects AS p
                          WHERE p.id = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.id)
SELECT format('id=%s', o.id),
       format('%s "%s" is its own ancestor', o.object_type, o.full_name)
  FROM walk AS w
  JOIN ONLY pggit.objects AS o ON o.id = w.id
 WHERE w.next = w.id
$query$);
--
-- A parent of the wrong type is the business of object_parent_kind.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_parent_foreign', 'object', 'error', 'pggit.objects',
    'a column belongs to the table that it is named after',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id to the table whose name the column bears.',
$query$
SELECT format('id=%s', o.id),
       format('COLUMN "%s" belongs to %s "%s"', o.full_name, p.object_type, p.full_name)
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
 WHERE o.object_type = 'COLUMN'
   AND p.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'PARTITION')
   AND NOT starts_with(o.full_name, p.full_name || '.')
$query$);
--
-- A parent that does not exist is the business of object_parent_missing.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_parent_kind', 'object', 'error', 'pggit.objects',
    'columns and indexes belong to tables and views, which belong to nothing',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id to the table or view that the object belongs to; to NULL for a table, view, '
    'function or schema.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" belongs to %s "%s"', o.object_type, o.full_name, p.object_type,
              p.full_name)
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
 WHERE o.object_type IN ('TABLE', 'VIEW', 'FUNCTION', 'SCHEMA')
    OR o.object_type IN ('COLUMN', 'INDEX')
       AND p.object_type NOT IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'PARTITION')
$query$);
--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_parent_missing', 'object', 'error', 'pggit.objects',
    'the parent of an object is an object',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Restore the parent from a backup, or set parent_id to the object that is the parent.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" names parent %s, which does not exist', o.object_type, o.full_name,
              o.parent_id)
  FROM ONLY pggit.objects AS o
 WHERE o.parent_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS p
                    WHERE p.id = o.parent_id)
$query$);
--
-- pgGit's queries ask for either, and find such an object in neither case.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_state_unknown', 'object', 'error', 'pggit.objects',
    'an object is active or it is not',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.is_active}',
    'Set is_active to whether the object exists.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is neither active nor inactive', o.object_type, o.full_name)
  FROM ONLY pggit.objects AS o
 WHERE o.is_active IS NULL
$query$);
--
-- The first version of an object is 1, or 1.0.0.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_version_invalid', 'object', 'error', 'pggit.objects',
    'the versions of an object count from 1',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.version,pggit.objects.version_major,pggit.objects.version_minor,'
    'pggit.objects.version_patch}',
    'Restore the versions from the history of the object.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s (%s.%s.%s)', o.object_type, o.full_name, o.version,
              o.version_major, o.version_minor, o.version_patch)
  FROM ONLY pggit.objects AS o
 WHERE o.version < 1
    OR o.version_major < 1
    OR o.version_minor < 0
    OR o.version_patch < 0
$query$);
--
-- A merge may bring the version of another branch with it, without history. So
-- only an object whose history is as new as itself is looked at, and only if
-- no other branch has it at that version.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'object_version_mismatch', 'object', 'error', 'pggit.objects',
    'the version of an object is the one that its history has reached',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.objects.updated_at,pggit.history.id,pggit.history.object_id,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'Compare with a backup: set the version to what the history says, or restore the missing '
    'history.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s, and its history has reached %s', o.object_type,
              o.full_name, o.version, COALESCE(h.new_version, h.old_version))
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE h.created_at = o.updated_at
   AND COALESCE(h.new_version, h.old_version) <> o.version
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                      AND s.version = o.version)
$query$);
--
-- A value that is in use and still to be handed out stops an INSERT with a
-- duplicate key. Each table is asked for its highest value by way of
-- query_to_xml(), which is how a plain query runs another. Branch main does
-- not count: the installer gives it id 1 without the sequence.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'sequence_behind', 'sequence', 'error', 'pg_catalog.pg_sequence',
    'the sequence behind a column of pgGit is past every value in it',
    '{}',
    'Set the sequence to the highest value in use with setval().',
$query$
SELECT format('sequence=%s', s.sequence),
       format('sequence "%s" stands at %s, and column "%s" of "%s" has reached %s', s.sequence,
              v.part[2], s.attname, s.relation, v.part[1])
  FROM (SELECT d.objid::regclass AS sequence, d.refobjid::regclass AS relation, a.attname
          FROM pg_catalog.pg_sequence AS q
          JOIN pg_catalog.pg_depend AS d
            ON d.objid = q.seqrelid
           AND d.classid = 'pg_catalog.pg_class'::regclass
           AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.deptype IN ('a', 'i')
          JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          JOIN pg_catalog.pg_class AS r ON r.oid = d.refobjid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
         WHERE n.nspname ~ '^pggit(_|$)'
           AND n.nspname <> '@extschema@'
           AND q.seqincrement > 0) AS s
 CROSS JOIN LATERAL regexp_match(
       query_to_xml(format('SELECT concat_ws(''|'', (SELECT max(%1$I) FROM ONLY %2$s),'
                           ' last_value, last_value - (NOT is_called)::integer) AS v FROM %3$s',
                           s.attname, s.relation, s.sequence),
                    false, true, '')::text,
       '<v>(-?\d+)\|(-?\d+)\|(-?\d+)</v>') AS v(part)
 WHERE v.part[1]::bigint > v.part[3]::bigint
   AND NOT (s.relation = to_regclass('pggit.branches') AND v.part[1] = '1')
$query$);
--
-- Those behind foreign keys among them, which are called by their constraint:
-- their own names are made of OIDs.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'trigger_disabled', 'definition', 'error', 'pg_catalog.pg_trigger',
    'the triggers of pgGit''s tables are enabled',
    '{}',
    'Run ALTER TABLE ... ENABLE TRIGGER.',
$query$
SELECT format('trigger=%s.%s', t.tgrelid::regclass,
              COALESCE(quote_ident(c.conname) || ' ' || p.proname, quote_ident(t.tgname))),
       format('%s of table "%s" %s',
              COALESCE(format('trigger %s of constraint "%s"', p.proname, c.conname),
                       format('trigger "%s"', t.tgname)),
              t.tgrelid::regclass,
              CASE t.tgenabled WHEN 'R' THEN 'fires on replicas only' ELSE 'is disabled' END)
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_class AS r ON r.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint AND t.tgisinternal
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND p.pronamespace IS DISTINCT FROM to_regnamespace('@extschema@')
   AND t.tgenabled NOT IN ('O', 'A')
$query$);
--
-- The number is a sequence value. pgGit cuts it to six digits, and so past a
-- million the short ones say nothing.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'trinity_number_duplicate', 'commit', 'error', 'pggit.commits',
    'the number in a Trinity ID is its own',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'Compare both commits with a backup: one of them is forged, or the sequence was set back.',
$query$
SELECT format('id=%s', max(t.id)),
       format('number %s is in the Trinity IDs of %s commits, the first of which is %s',
              t.number, count(*), min(t.id))
  FROM (SELECT c.id, split_part(c.hash, '-', 2) AS number
          FROM ONLY pggit.commits AS c
         WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$') AS t
 WHERE length(t.number) > 6
    OR (SELECT s.last_value FROM pggit.trinity_id_seq AS s) < 1000000
 GROUP BY t.number
HAVING count(*) > 1
$query$);
--
-- A number that is on a commit and still to be handed out will be there twice.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'trinity_sequence_behind', 'sequence', 'error', 'pggit.trinity_id_seq',
    'the sequence of Trinity IDs is past every Trinity ID in use',
    '{pggit.trinity_id_seq,pggit.commits.hash}',
    'Set pggit.trinity_id_seq to the highest number in use with setval().',
$query$
SELECT 'sequence=pggit.trinity_id_seq',
       format('commit "%s" has number %s, and the sequence stands at %s', t.hash, t.number,
              s.last_value)
  FROM (SELECT c.hash, split_part(c.hash, '-', 2)::numeric AS number
          FROM ONLY pggit.commits AS c
         WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
         ORDER BY number DESC, c.hash
         LIMIT 1) AS t
  JOIN pggit.trinity_id_seq AS s ON t.number > s.last_value - (NOT s.is_called)::integer
$query$);
--
-- The first 20 digits are the time of the transaction. An ID may be made in
-- one transaction and be given to a commit in a later one, but not in an
-- earlier one; a day is allowed for that. The times are compared as text: a
-- forged ID need not be a date.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'trinity_time_mismatch', 'commit', 'error', 'pggit.commits',
    'a Trinity ID is of the time of its commit',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'Restore hash or committed_at from a backup, whichever was changed.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, and its Trinity ID is %s', c.hash,
              c.committed_at,
              CASE WHEN t.stamp > t.committed THEN 'from later' ELSE 'more than a day older' END)
  FROM ONLY pggit.commits AS c
 CROSS JOIN LATERAL (SELECT left(c.hash, 20) COLLATE "C" AS stamp,
                            to_char(c.committed_at, 'YYYYMMDDHH24MISSUS') AS committed) AS t
 WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
   AND t.stamp <> t.committed
   AND (t.stamp > t.committed
        OR t.stamp < to_char(c.committed_at - interval '1 day', 'YYYYMMDDHH24MISSUS'))
$query$);
--
-- fsck(checks, min_severity)
--
-- Runs the named checks, by default all that apply, and answers a row for each
-- finding: no row means sound.  What cannot be checked raises: a check that was
-- named and does not apply, a row that a policy would hide.  STABLE, so that all
-- checks see one snapshot.  Without nested loops, because statistics may be old
-- or none: what was planned for a row would be run for a million.
-- Writes: nothing.
-- Calls: _require_check.
--
CREATE FUNCTION @extschema@.fsck(checks text[] DEFAULT NULL, min_severity text DEFAULT 'info')
RETURNS TABLE (
    check_id     text,
    severity     text,
    relation     text,
    row_identity text,
    message      text,
    action       text,
    repairable   boolean)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET enable_nestloop = off
AS $function$
DECLARE
    v_severities CONSTANT text[] := ARRAY['info', 'warning', 'error'];
    v_check      @extschema@._integrity_check;
BEGIN
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_value(min_severity, 'min_severity');
    IF min_severity <> ALL (v_severities) THEN
        RAISE EXCEPTION 'severity "%" does not exist', min_severity
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is one of info, warning, error.';
    END IF;
    IF cardinality(checks) = 0 THEN
        RAISE EXCEPTION 'no check is named'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave the argument out to run all checks.';
    END IF;
    PERFORM @extschema@._require_value(c.check_id, 'checks'),
            @extschema@._require_check(c.check_id)
       FROM unnest(checks) AS c(check_id);
    FOR v_check IN
        SELECT c.*
          FROM @extschema@._integrity_check AS c
         WHERE (c.check_id = ANY (checks)
                OR checks IS NULL AND @extschema@._has(c.requires))
           AND array_position(v_severities, c.severity)
               >= array_position(v_severities, min_severity)
         ORDER BY c.check_id COLLATE "C"
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT $1, $2, $3, f.row_identity, f.message, $4, false'
            '  FROM (%s) AS f(row_identity, message)'
            ' ORDER BY f.row_identity COLLATE "C", f.message COLLATE "C"', v_check.query)
            USING v_check.check_id, v_check.severity, v_check.relation, v_check.action;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.fsck(text[], text) IS
    'Checks pgGit''s metadata and answers a row for each thing that is wrong; none: sound.';
--
-- integrity_check, _require_check(check_id)
--
-- The checks that fsck() runs.  Write nothing.
--
CREATE VIEW @extschema@.integrity_check AS
SELECT c.check_id,
       c.category,
       c.severity,
       c.summary,
       cardinality(@extschema@._pggit_schemas()) > 0
       AND @extschema@._has(c.requires) AS applies
  FROM @extschema@._integrity_check AS c;
COMMENT ON VIEW @extschema@.integrity_check IS
    'What fsck() checks, how grave a finding is, and whether this pgGit has what the check reads.';

CREATE FUNCTION @extschema@._require_check(check_id text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_check @extschema@._integrity_check;
BEGIN
    SELECT c.* INTO v_check
      FROM @extschema@._integrity_check AS c
     WHERE c.check_id = _require_check.check_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'integrity check "%" does not exist', check_id
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: '
                                    || @extschema@._near(check_id, (SELECT array_agg(c.check_id)
                                           FROM @extschema@._integrity_check AS c))
                                    || '.', 'No check has a name like it.'),
                  HINT = 'SELECT check_id, summary FROM @extschema@.integrity_check;';
    ELSIF NOT @extschema@._has(v_check.requires) THEN
        RAISE EXCEPTION 'integrity check "%" does not apply to this pgGit', check_id
            USING ERRCODE = 'PC008',
                  DETAIL = format('It reads %s.', array_to_string(v_check.requires, ', ')),
                  HINT = 'SELECT check_id, summary FROM @extschema@.integrity_check WHERE applies;';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_check(text) IS
    'Raises 42704 where a check does not exist and PC008 where it does not apply to this pgGit.';
--
-- drill(kind, seed), drill_all(category, seed)
--
-- Corrupt, see that fsck() finds it and finds nothing else, heal, see that
-- nothing remains.  Whatever comes of it is rolled back, and so the database is
-- left as it was even where a corruption could not be healed.  What was wrong
-- before does not count.  Writes: nothing that stays.  Locks: those of corrupt()
-- and heal(), until the kind is drilled.
-- Calls: _drill, _corrupt, _heal, fsck, state_digest.
--
CREATE FUNCTION @extschema@.drill(kind text, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.* FROM @extschema@._drill_named(drill.kind, drill.seed) AS d;
$function$;
COMMENT ON FUNCTION @extschema@.drill(text, bigint) IS
    'Corrupts in one way, sees that fsck() finds exactly that, heals, and leaves nothing behind.';

CREATE FUNCTION @extschema@.drill_all(category text DEFAULT NULL, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_findings jsonb;
    v_digest   text;
    v_kind     @extschema@._corruption_kind;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._require_category(category);
    v_findings := @extschema@._findings();
    v_digest := @extschema@.state_digest();
    FOR v_kind IN
        SELECT k.*
          FROM @extschema@._corruption_kind AS k
         WHERE k.category = COALESCE(drill_all.category, k.category)
           AND @extschema@._has(k.requires)
         ORDER BY k.category COLLATE "C", k.kind COLLATE "C"
    LOOP
        BEGIN
            RETURN QUERY
                SELECT d.* FROM @extschema@._drill(v_kind, seed, v_findings, v_digest) AS d;
        EXCEPTION
            WHEN SQLSTATE 'PC004' THEN
                kind := v_kind.kind;
                RETURN NEXT;
        END;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.drill_all(text, bigint) IS
    'Drills each kind that applies, of one category or all; NULLs: there was nothing to corrupt.';

--
-- _drill_named(name, seed), _drill(kind, seed, findings, digest),
-- _drill_heals(corruption_id), _findings(), _require_category(category)
--
-- PL/pgSQL does not allow an argument and a column of one name, as drill() has
-- them.  The findings and the digest are those of the database as it stands.
--
CREATE FUNCTION @extschema@._drill_named(name text, seed bigint)
RETURNS TABLE (
    kind        text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(name, 'kind');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    RETURN QUERY
        SELECT d.*
          FROM @extschema@._drill(@extschema@._corruption_kind_named(name), seed,
                                  @extschema@._findings(), @extschema@.state_digest()) AS d;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_named(text, bigint) IS
    'Drills one kind of corruption, known by its name.';

CREATE FUNCTION @extschema@._drill(
    corruption_kind @extschema@._corruption_kind, seed bigint, findings jsonb, digest text)
RETURNS TABLE (
    kind        text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_began CONSTANT timestamptz := clock_timestamp();
    v_spoke text[];
    v_id    bigint;
BEGIN
    kind := corruption_kind.kind;
    BEGIN
        v_id := @extschema@._corrupt(corruption_kind, seed);
        SELECT array_agg(DISTINCT n.finding ->> 'check_id')
          INTO v_spoke
          FROM (SELECT jsonb_array_elements(@extschema@._findings())
                EXCEPT
                SELECT jsonb_array_elements(findings)) AS n(finding);
        -- One statement each: the second needs a snapshot from after the first.
        healed := @extschema@._drill_heals(v_id);
        healed := healed AND @extschema@._findings() = findings
                         AND @extschema@.state_digest() = digest;
        RAISE EXCEPTION 'the drill of "%" is over', kind USING ERRCODE = 'PC099';
    EXCEPTION
        WHEN SQLSTATE 'PC099' THEN
            NULL;  -- All is rolled back but the variables.
    END;
    detected_by := ARRAY(SELECT s.check_id
                           FROM unnest(v_spoke) AS s(check_id)
                          WHERE s.check_id = ANY (corruption_kind.detected_by)
                          ORDER BY s.check_id COLLATE "C");
    unrelated := ARRAY(SELECT s.check_id
                         FROM unnest(v_spoke) AS s(check_id)
                        WHERE s.check_id <> ALL (corruption_kind.detected_by)
                        ORDER BY s.check_id COLLATE "C");
    detected := cardinality(detected_by) > 0;
    elapsed := clock_timestamp() - v_began;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill(@extschema@._corruption_kind, bigint, jsonb, text) IS
    'Drills one kind against the findings and the digest from before, and rolls it back.';

CREATE FUNCTION @extschema@._drill_heals(corruption_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._heal(corruption_id);
    RETURN true;
EXCEPTION
    WHEN SQLSTATE 'PC005' THEN
        RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_heals(bigint) IS
    'Heals a corruption and answers whether its images fitted.';

CREATE FUNCTION @extschema@._findings()
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_agg(jsonb_build_object('check_id', f.check_id,
                                                 'relation', f.relation,
                                                 'row_identity', f.row_identity,
                                                 'message', f.message)), '[]')
      FROM @extschema@.fsck() AS f;
$function$;
COMMENT ON FUNCTION @extschema@._findings() IS
    'Holds all findings of fsck() in its order, to be compared.';

CREATE FUNCTION @extschema@._require_category(category text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF category IS NOT NULL
       AND NOT EXISTS (SELECT
                         FROM @extschema@._corruption_kind AS k
                        WHERE k.category = _require_category.category) THEN
        RAISE EXCEPTION 'category "%" of corruption does not exist', category
            USING ERRCODE = 'undefined_object',
                  DETAIL = (SELECT format('There are %s.', string_agg(DISTINCT k.category, ', '))
                              FROM @extschema@._corruption_kind AS k),
                  HINT = 'SELECT category, kind, summary FROM @extschema@.corruption_kind;';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_category(text) IS
    'Raises 42704 where no kind of corruption has that category.';
--
-- _judge(run, fired, sqlstate, before, after, tolerance, leaks)
--
-- The outcome of one disturbed run.  before and after are the pictures around an
-- undisturbed run.  On an error PostgreSQL has taken back all that is
-- transactional, and so only a leak can remain; on success the state and the
-- answer tell.  Writes: nothing.
--
CREATE FUNCTION @extschema@._judge(run jsonb, fired boolean, sqlstate text, before jsonb,
                                   after jsonb, tolerance jsonb, leaks text[],
                                   OUT outcome text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_undone text[];
    v_done   text[];
BEGIN
    IF NOT fired THEN
        outcome := 'unreached';
    ELSIF run ->> 'sqlstate' IS NOT NULL THEN
        IF cardinality(leaks) > 0 THEN
            outcome := 'leaked';
            detail := array_to_string(leaks, ', ');
        ELSIF run ->> 'sqlstate' = sqlstate THEN
            outcome := 'surfaced';
        ELSE
            outcome := 'masked';
            detail := run ->> 'message';
        END IF;
    ELSE
        v_undone := @extschema@._differences(run -> 'picture', after, tolerance);
        v_done := @extschema@._differences((run -> 'picture') - 'answer', before, tolerance);
        IF cardinality(v_undone) = 0 THEN
            outcome := 'tolerated';
        ELSIF cardinality(v_done) = 0 THEN
            outcome := 'lost';
            detail := 'not as in an undisturbed run: ' || array_to_string(v_undone, ', ');
        ELSE
            outcome := 'torn';
            detail := 'not as in an undisturbed run: ' || array_to_string(v_undone, ', ');
        END IF;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._judge(jsonb, boolean, text, jsonb, jsonb, jsonb, text[]) IS
    'Judges the outcome of one run with a fault in it.';
--
-- What a statement did, as it is compared between runs.
--
-- A picture is a JSON object of aspects: one entry a column of each watched
-- table, one for the number of its rows, one for the definitions in the
-- catalogue, one for the answer.  Each entry is an array of three digests of the
-- same thing, ever more forgiving: as it is; with every run of hexadecimal
-- digits masked; whether it is null.  Two undisturbed runs tell which of the
-- three is reproducible (clock_timestamp(), random UUIDs and OIDs are not).
--
-- _picture(relations), _aspects(value), _column_aspects(relation)
--
CREATE FUNCTION @extschema@._picture(relations text[])
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_picture  jsonb := '{}';
    v_relation text;
BEGIN
    FOR v_relation IN SELECT DISTINCT r.name FROM unnest(relations) AS r(name) LOOP
        IF v_relation = 'definitions' THEN
            v_picture := v_picture || (
                SELECT jsonb_build_object('definitions', @extschema@._aspects(
                           string_agg(concat_ws(' ', d.kind, d.object, d.definition), E'\n'
                                      ORDER BY d.kind, d.object, d.definition)))
                  FROM @extschema@._definitions(@extschema@._world_schemas()) AS d);
        ELSIF to_regclass(v_relation) IS NOT NULL THEN
            v_picture := v_picture || @extschema@._column_aspects(v_relation::regclass);
        END IF;
    END LOOP;
    RETURN v_picture;
END;
$function$;
COMMENT ON FUNCTION @extschema@._picture(text[]) IS
    'Takes a picture of relations, for comparison with one of another run.';

CREATE FUNCTION @extschema@._aspects(value text)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_array(md5(value),
                             md5(regexp_replace(value, '[0-9a-f]+', '#', 'gi')),
                             value IS NULL);
$function$;
COMMENT ON FUNCTION @extschema@._aspects(text) IS
    'Digests a value three times: as it is, with its numbers masked, whether it is null.';

CREATE FUNCTION @extschema@._column_aspects(relation regclass)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $function$
DECLARE
    v_name    text := relation::text;
    v_columns text;
    v_aspects jsonb;
BEGIN
    SELECT string_agg(
               format(E',\n%L, jsonb_build_array('
                      'sum(hashtextextended(t.%I::text, 0)), '
                      'sum(hashtextextended(regexp_replace(t.%I::text, ''[0-9a-f]+'', ''#'', ''gi''),'
                      ' 0)), count(t.%I))',
                      v_name || '.' || a.attname, a.attname, a.attname, a.attname),
               '' ORDER BY a.attnum)
      INTO v_columns
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped;
    EXECUTE format('SELECT jsonb_build_object(%L, jsonb_build_array(count(*), count(*), count(*))%s)'
                   ' FROM ONLY %s AS t', v_name, v_columns, v_name)
       INTO v_aspects;
    RETURN v_aspects;
END;
$function$;
COMMENT ON FUNCTION @extschema@._column_aspects(regclass) IS
    'Digests each column of a relation three times, whatever the order of its rows.';

--
-- _world_schemas()
--
-- Where a statement may leave something: every schema but PostgreSQL's and ours.
--
CREATE FUNCTION @extschema@._world_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT array_agg(n.nspname)
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname !~ '^pg_'
       AND n.nspname NOT IN ('information_schema', '@extschema@');
$function$;
COMMENT ON FUNCTION @extschema@._world_schemas() IS
    'Names every schema but PostgreSQL''s own and ours.';

--
-- _activity(), _touched(before)
--
-- PostgreSQL counts the tuples that a transaction writes, relation by relation,
-- catalogues too.  What moved between two looks was touched; the rest need not
-- be read.  A write to a catalogue shows as "definitions".
--
CREATE FUNCTION @extschema@._activity()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_object_agg(a.name, a.written)
      FROM (SELECT CASE n.nspname WHEN 'pg_catalog' THEN 'definitions'
                                  ELSE format('%I.%I', n.nspname, c.relname) END AS name,
                   concat_ws(' ', sum(pg_stat_get_xact_tuples_inserted(c.oid)),
                             sum(pg_stat_get_xact_tuples_updated(c.oid)),
                             sum(pg_stat_get_xact_tuples_deleted(c.oid)),
                             -- TRUNCATE sets the counts back, and takes a new file.
                             sum(pg_relation_filenode(c.oid)::bigint)) AS written
              FROM pg_catalog.pg_class AS c
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'm')
               AND c.relpersistence <> 't'
               AND n.nspname NOT IN ('information_schema', '@extschema@', 'pg_toast')
             GROUP BY 1) AS a;
$function$;
COMMENT ON FUNCTION @extschema@._activity() IS
    'Counts what this transaction has written so far, by relation.';

CREATE FUNCTION @extschema@._touched(before jsonb)
RETURNS text[]
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT COALESCE(o.key, n.key)
                   FROM jsonb_each_text(before) AS o
                   FULL JOIN jsonb_each_text(@extschema@._activity()) AS n ON n.key = o.key
                  WHERE o.value IS DISTINCT FROM n.value
                  ORDER BY 1);
$function$;
COMMENT ON FUNCTION @extschema@._touched(jsonb) IS
    'Names the relations that were written to since an earlier _activity().';

--
-- _reproducible(one, other), _differences(one, other, tolerance)
--
-- The tolerance of each aspect, from the pictures of two undisturbed runs: the
-- index of the first digest in which they agree, 3 where they never do.  And the
-- aspects in which two pictures differ beyond that.
--
CREATE FUNCTION @extschema@._reproducible(one jsonb, other jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_object_agg(a.key, CASE WHEN a.value -> 0 = b.value -> 0 THEN 0
                                                 WHEN a.value -> 1 = b.value -> 1 THEN 1
                                                 WHEN a.value -> 2 = b.value -> 2 THEN 2
                                                 ELSE 3 END), '{}')
      FROM jsonb_each(one) AS a
      JOIN jsonb_each(other) AS b ON b.key = a.key;
$function$;
COMMENT ON FUNCTION @extschema@._reproducible(jsonb, jsonb) IS
    'Tells for each aspect how forgiving a comparison between runs must be.';

CREATE FUNCTION @extschema@._differences(one jsonb, other jsonb, tolerance jsonb)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT d.name
                   FROM (SELECT COALESCE(a.key, b.key) AS name, a.value AS a, b.value AS b,
                                COALESCE((tolerance ->> COALESCE(a.key, b.key))::integer, 0) AS t
                           FROM jsonb_each(one) AS a
                           FULL JOIN jsonb_each(other) AS b ON b.key = a.key) AS d
                  WHERE d.t < 3
                    AND d.a -> d.t IS DISTINCT FROM d.b -> d.t
                  ORDER BY d.name);
$function$;
COMMENT ON FUNCTION @extschema@._differences(jsonb, jsonb, jsonb) IS
    'Names the aspects in which two pictures differ beyond the tolerance.';
--
-- _rehearse(statement, path, watched)
--
-- Runs a statement and its COMMIT in a subtransaction, looks at what it did, and
-- takes it back.  Answers, as one JSON object: sqlstate, message and ours (the
-- error that the caller sees, and whether its diagnostics say that it is an
-- injected one; sqlstate is null on success), touched (names of the tables it
-- wrote to) and picture (of those and of the watched tables).  Writes: nothing
-- that stays, but for the sequences; see _set_sequences.
--
CREATE FUNCTION @extschema@._rehearse(statement text, path text, watched text[])
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = error
AS $function$
DECLARE
    v_activity jsonb := @extschema@._activity();
    v_touched  text[];
    v_answer   text;
    v_picture  jsonb;
    v_sqlstate text;
    v_message  text;
    v_schema   text;
BEGIN
    BEGIN
        v_answer := @extschema@._execute(statement, path);
        v_touched := @extschema@._touched(v_activity);
        v_picture := @extschema@._picture(watched || v_touched)
                     || jsonb_build_object('answer', @extschema@._aspects(v_answer));
        RAISE EXCEPTION USING ERRCODE = 'PC998', MESSAGE = 'the way back';
    -- The statement is foreign, and each way in which it ends is a result.
    EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
        GET STACKED DIAGNOSTICS v_sqlstate = RETURNED_SQLSTATE,
                                v_message = MESSAGE_TEXT,
                                v_schema = SCHEMA_NAME;
        -- Whoever cancels the sweep means the sweep.
        IF v_sqlstate = '57014' AND v_schema <> '@extschema@' THEN
            RAISE;
        END IF;
    END;
    RETURN jsonb_build_object('sqlstate', NULLIF(v_sqlstate, 'PC998'),
                              'message', v_message,
                              'ours', v_schema = '@extschema@',
                              'touched', to_jsonb(v_touched),
                              'picture', v_picture);
END;
$function$;
COMMENT ON FUNCTION @extschema@._rehearse(text, text, text[]) IS
    'Runs a statement, looks at what it did, and takes it back.';

--
-- _execute(statement, path)
--
-- Runs a statement under the caller's own search_path, and then what would
-- happen at COMMIT.  Answers the rows it returned, one a line.  A statement that
-- returns none is refused as a cursor (42P11) before anything is done.
--
CREATE FUNCTION @extschema@._execute(statement text, path text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_row    record;
    v_answer text := '';
BEGIN
    PERFORM set_config('search_path', path, true);
    BEGIN
        FOR v_row IN EXECUTE statement LOOP
            v_answer := pg_catalog.concat(v_answer, v_row, E'\n');
        END LOOP;
    EXCEPTION WHEN invalid_cursor_definition THEN
        EXECUTE statement;
    END;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN v_answer;
END;
$function$;
COMMENT ON FUNCTION @extschema@._execute(text, text) IS
    'Runs a statement and its deferred constraints, and answers the rows it returned.';
--
-- What no rollback takes back: sequences, session advisory locks, settings.
--
-- _isolate_sequences(), _sequences(), _set_sequences(positions), _last_values()
--
-- The positions of all sequences but ours, and the way back to them.  Putting
-- them back before each run gives every run the same ids.  They are rewritten
-- first: nobody else draws an id that would be put back under him, and they go
-- with a rollback, and so with a cancellation or a death in the middle.  What is
-- asked at each run is only how far they have come: that takes no query over all.
--
CREATE FUNCTION @extschema@._isolate_sequences()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._rewrite_sequences();
END;
$function$;
COMMENT ON FUNCTION @extschema@._isolate_sequences() IS
    'Keeps all sequences but ours for this transaction, and makes them go with its rollback.';

CREATE FUNCTION @extschema@._rewrite_sequences()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $function$
    SELECT @extschema@._isolate_sequence(c.oid)
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@'
     ORDER BY c.oid;
$function$;
COMMENT ON FUNCTION @extschema@._rewrite_sequences() IS
    'Rewrites all sequences but ours, unseen by pgGit.';

CREATE FUNCTION @extschema@._sequences()
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_query     text;
    v_positions jsonb;
BEGIN
    SELECT string_agg(format('SELECT %L AS name, last_value, is_called FROM %s',
                             c.oid::regclass, c.oid::regclass), ' UNION ALL ')
      INTO v_query
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@';
    IF v_query IS NULL THEN
        RETURN '{}';
    END IF;
    EXECUTE 'SELECT jsonb_object_agg(s.name, jsonb_build_array(s.last_value, s.is_called)) FROM ('
            || v_query || ') AS s'
       INTO v_positions;
    RETURN v_positions;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sequences() IS
    'Reads the positions of all sequences but ours.';

CREATE FUNCTION @extschema@._set_sequences(positions jsonb)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(p.key::regclass, (p.value ->> 0)::bigint, (p.value ->> 1)::boolean)
      FROM jsonb_each(positions) AS p
      JOIN jsonb_each(@extschema@._last_values()) AS n ON n.key = p.key
     WHERE NULLIF(n.value, 'null') IS DISTINCT FROM
           CASE WHEN (p.value ->> 1)::boolean THEN p.value -> 0 END;
$function$;
COMMENT ON FUNCTION @extschema@._set_sequences(jsonb) IS
    'Puts sequences back to the positions of an earlier _sequences().';

CREATE FUNCTION @extschema@._last_values()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_object_agg(c.oid::regclass, pg_sequence_last_value(c.oid)), '{}')
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@';
$function$;
COMMENT ON FUNCTION @extschema@._last_values() IS
    'Reads the last value of all sequences but ours, null where there is none yet.';

--
-- _session_state(settings), _leaks(before), _release_locks(before)
--
-- The advisory locks that this session holds, its settings (among the custom
-- ones those named) and the sequences; what of it a failed statement has
-- changed; and the way back for the locks.  A sequence that went on is no leak,
-- one that went back is.
--
CREATE FUNCTION @extschema@._session_state(settings text[])
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object(
        'named', to_jsonb(settings),
        'locks', @extschema@._advisory_locks(),
        'settings', (SELECT COALESCE(jsonb_object_agg(s.name, s.setting), '{}')
                       FROM (SELECT g.name, g.setting
                               FROM pg_catalog.pg_settings AS g
                              WHERE g.source = 'session'
                              UNION
                             SELECT c.name, current_setting(c.name, true)
                               FROM unnest(settings) AS c(name)) AS s),
        'sequences', @extschema@._last_values());
$function$;
COMMENT ON FUNCTION @extschema@._session_state(text[]) IS
    'Reads what of this session no rollback takes back.';

CREATE FUNCTION @extschema@._advisory_locks()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_agg(to_jsonb(l)), '[]')
      FROM (SELECT k.classid, k.objid, k.objsubid, k.mode
              FROM pg_catalog.pg_locks AS k
             WHERE k.locktype = 'advisory'
               AND k.pid = pg_backend_pid()) AS l;
$function$;
COMMENT ON FUNCTION @extschema@._advisory_locks() IS
    'Lists the advisory locks that this session holds.';

CREATE FUNCTION @extschema@._pggit_settings()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- PostgreSQL lists no custom settings: pgGit's own code says which it uses.
    SELECT ARRAY(SELECT DISTINCT m.match[1]
                   FROM pg_catalog.pg_proc AS p
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                  CROSS JOIN LATERAL regexp_matches(p.prosrc,
                            '(?:set_config|current_setting)\s*\(\s*''(pggit\w*\.\w+)''', 'gi')
                            AS m(match)
                  WHERE n.nspname = ANY (@extschema@._pggit_schemas())
                    AND p.prosrc ~ 'set_config|current_setting');
$function$;
COMMENT ON FUNCTION @extschema@._pggit_settings() IS
    'Names the custom settings that the functions of pgGit read or write.';

CREATE FUNCTION @extschema@._leaks(before jsonb)
RETURNS text[]
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH now AS MATERIALIZED (
        SELECT @extschema@._session_state(
                   ARRAY(SELECT jsonb_array_elements_text(before -> 'named'))) AS state
    )
    SELECT ARRAY(
        SELECT format('advisory lock %s %s in %s', l.value ->> 'classid', l.value ->> 'objid',
                      l.value ->> 'mode')
          FROM now, jsonb_array_elements(now.state -> 'locks') AS l
         WHERE NOT before -> 'locks' @> jsonb_build_array(l.value)
         UNION ALL
        SELECT format('setting "%s" is now "%s"', s.key, s.value)
          FROM now, jsonb_each_text(now.state -> 'settings') AS s
         WHERE before -> 'settings' ->> s.key IS DISTINCT FROM s.value
         UNION ALL
        SELECT format('sequence %s went back to %s', q.key, COALESCE(q.value, 'its start'))
          FROM now, jsonb_each_text(now.state -> 'sequences') AS q
         WHERE COALESCE(q.value::bigint, '-9223372036854775808')
               < (before -> 'sequences' ->> q.key)::bigint);
$function$;
COMMENT ON FUNCTION @extschema@._leaks(jsonb) IS
    'Lists what outlived a rollback since an earlier _session_state().';

CREATE FUNCTION @extschema@._release_locks(before jsonb)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_lock     jsonb;
    v_released boolean;
BEGIN
    FOR v_lock IN
        SELECT l.value
          FROM jsonb_array_elements(@extschema@._advisory_locks()) AS l
         WHERE NOT before -> 'locks' @> jsonb_build_array(l.value)
    LOOP
        -- A session may have taken it several times over.
        LOOP
            EXECUTE format('SELECT pg_advisory_unlock%s(%s)',
                           CASE v_lock ->> 'mode' WHEN 'ShareLock' THEN '_shared' ELSE '' END,
                           CASE v_lock ->> 'objsubid'
                               WHEN '2' THEN format('%s::bigint::bit(32)::integer, '
                                                    '%s::bigint::bit(32)::integer',
                                                    v_lock ->> 'classid', v_lock ->> 'objid')
                               ELSE format('(%s::bigint << 32) | %s::bigint',
                                           v_lock ->> 'classid', v_lock ->> 'objid')
                           END)
               INTO v_released;
            EXIT WHEN NOT v_released;
        END LOOP;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._release_locks(jsonb) IS
    'Releases the session advisory locks taken since an earlier _session_state().';
--
-- sweep(statement, sqlstates, every_hit)
--
-- Runs a statement once for each failpoint hit and SQLSTATE with a fault at that
-- hit, and judges each outcome; worst last: surfaced, tolerated, masked, leaked,
-- lost, torn; unreached where the fault never fired.  Hits with one call stack
-- are visited once, and the detail says for how many that one stands, unless
-- every_hit is asked for.  Every run is a subtransaction that is taken back, and
-- so are the sequences.  Writes: nothing that stays.  Locks: SHARE ROW EXCLUSIVE on
-- all sequences.
-- Calls: _isolate_sequences, _trace, _rehearse, _judge.
--
CREATE FUNCTION @extschema@._sweep(statement text, sqlstates text[], every_hit boolean, path text)
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
DECLARE
    v_sqlstates text[];
    v_session   jsonb;
    v_sequences jsonb;
    v_plain     jsonb;
    v_fault_id  bigint;
    v_point     record;
    v_verdict   record;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    v_sqlstates := @extschema@._resolve_sqlstates(sqlstates);
    PERFORM @extschema@._require_hooks();
    -- Before the first look at a sequence: looking takes a lock that two sweeps share.
    PERFORM @extschema@._isolate_sequences();
    v_session := @extschema@._session_state('{}');
    v_sequences := @extschema@._sequences();
    v_plain := @extschema@._undisturbed(statement, path, v_sequences);
    -- One fault is aimed anew for each point: arming costs more than the run.
    v_fault_id := @extschema@._arm('*', 'off');
    FOR v_point IN
        SELECT p.hit, p.failpoint, p.nth, s.sqlstate, p.stands_for
          FROM @extschema@._points(statement, every_hit, path) AS p
         CROSS JOIN unnest(v_sqlstates) WITH ORDINALITY AS s(sqlstate, i)
         ORDER BY p.hit, s.i
    LOOP
        SELECT v.outcome, v.seen_sqlstate, v.detail INTO v_verdict
          FROM @extschema@._disturbed(statement, path, v_fault_id, v_point.failpoint,
                                      v_point.nth, v_point.sqlstate, v_plain, v_sequences) AS v;
        hit := v_point.hit;
        failpoint := v_point.failpoint;
        sqlstate := v_point.sqlstate;
        outcome := v_verdict.outcome;
        seen_sqlstate := v_verdict.seen_sqlstate;
        detail := NULLIF(concat_ws('; ', v_verdict.detail,
                                   CASE WHEN v_point.stands_for > 1
                                        THEN format('stands for %s hits with this stack',
                                                    v_point.stands_for) END), '');
        RETURN NEXT;
    END LOOP;
    PERFORM @extschema@.disarm(v_fault_id);
    PERFORM @extschema@._set_sequences(v_sequences);
    -- The runs were given one seed; the session goes on with another.
    PERFORM setseed((extract(epoch FROM clock_timestamp()) % 1)::float8);
-- What no rollback takes back goes here.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM @extschema@._release_locks(v_session);
    RAISE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sweep(text, text[], boolean, text) IS
    'As sweep(), with the search_path under which the statement is to run.';

CREATE FUNCTION @extschema@.sweep(statement text, sqlstates text[] DEFAULT '{40001,57014}',
                                  every_hit boolean DEFAULT false)
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT s.hit, s.failpoint, s.sqlstate, s.outcome, s.seen_sqlstate, s.detail
      FROM @extschema@._sweep(statement, sqlstates, every_hit, current_setting('search_path')) AS s;
END;
COMMENT ON FUNCTION @extschema@.sweep(text, text[], boolean) IS
    'Runs a statement once for each failpoint that it passes, with a fault there, and judges each outcome.';

CREATE FUNCTION @extschema@._resolve_sqlstates(sqlstates text[])
RETURNS text[]
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF COALESCE(cardinality(sqlstates), 0) = 0 OR array_position(sqlstates, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'argument "sqlstates" must hold at least one SQLSTATE and no null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    RETURN ARRAY(SELECT @extschema@._action_error_parse(s.name, '*') ->> 'sqlstate'
                   FROM unnest(sqlstates) WITH ORDINALITY AS s(name, i)
                  ORDER BY s.i);
END;
$function$;
COMMENT ON FUNCTION @extschema@._resolve_sqlstates(text[]) IS
    'Turns condition names into SQLSTATEs, and raises where a list holds something else.';

--
-- _points(statement, every_hit, path)
--
-- The hits to visit: of those with one failpoint and one call stack the first.  nth
-- counts the hits of its failpoint alone.
--
CREATE FUNCTION @extschema@._points(statement text, every_hit boolean, path text)
RETURNS TABLE (hit bigint, failpoint text, nth bigint, stands_for bigint)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT min(t.hit), t.failpoint, min(t.nth), count(*)
      FROM (SELECT r.hit, r.failpoint, r.stack,
                   row_number() OVER (PARTITION BY r.failpoint ORDER BY r.hit) AS nth
              FROM @extschema@._trace(statement, path) AS r) AS t
     GROUP BY t.failpoint, CASE WHEN every_hit THEN t.hit::text
                                ELSE @extschema@._places(t.stack) END;
$function$;
COMMENT ON FUNCTION @extschema@._points(text, boolean, text) IS
    'Lists the hits that a sweep visits, each with the number of hits that it stands for.';

--
-- _undisturbed(statement, path, sequences)
--
-- What the statement does when nothing goes wrong: the pictures before and
-- after, which tables are watched, and how well two runs agree.
--
CREATE FUNCTION @extschema@._undisturbed(statement text, path text, sequences jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_session jsonb := @extschema@._session_state(@extschema@._pggit_settings());
    v_first   jsonb := @extschema@._rerun(statement, path, '{}', sequences);
    v_second  jsonb;
    v_watched text[];
BEGIN
    PERFORM @extschema@._require_success(v_first);
    v_watched := ARRAY(SELECT jsonb_array_elements_text(v_first -> 'touched'));
    v_second := @extschema@._rerun(statement, path, v_watched, sequences);
    PERFORM @extschema@._require_success(v_second);
    PERFORM @extschema@._release_locks(v_session);
    RETURN jsonb_build_object(
        'watched', to_jsonb(v_watched),
        'before', @extschema@._picture(v_watched),
        'after', v_second -> 'picture',
        'tolerance', @extschema@._reproducible(v_first -> 'picture', v_second -> 'picture'),
        'session', v_session);
END;
$function$;
COMMENT ON FUNCTION @extschema@._undisturbed(text, text, jsonb) IS
    'Learns what a statement does when nothing goes wrong.';

CREATE FUNCTION @extschema@._rerun(statement text, path text, watched text[],
                                   sequences jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._set_sequences(sequences);
    PERFORM setseed(0);
    RETURN @extschema@._rehearse(statement, path, watched);
END;
$function$;
COMMENT ON FUNCTION @extschema@._rerun(text, text, text[], jsonb) IS
    'Rehearses a statement from the same sequences and the same random seed each time.';

--
-- _disturbed(statement, path, fault_id, failpoint, nth, sqlstate, plain, sequences)
--
-- One run with the fault at one hit, judged.
--
CREATE FUNCTION @extschema@._disturbed(statement text, path text, fault_id bigint, failpoint text,
                                       nth bigint, sqlstate text, plain jsonb, sequences jsonb,
                                       OUT outcome text, OUT seen_sqlstate text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_watched text[] := ARRAY(SELECT jsonb_array_elements_text(plain -> 'watched'));
    v_slot    integer := @extschema@._aim(fault_id, failpoint, nth, sqlstate);
    v_fired   boolean;
    v_run     jsonb;
    v_news    jsonb;
BEGIN
    v_run := @extschema@._rerun(statement, path, v_watched, sequences);
    v_fired := pg_sequence_last_value(@extschema@._counter(v_slot, 'fired')) > 0;
    -- The fault may have sent pgGit to tables that nobody watched before: they
    -- are now what they were, and an undisturbed run leaves them so.
    v_news := @extschema@._picture(ARRAY(
        SELECT jsonb_array_elements_text(COALESCE(NULLIF(v_run -> 'touched', 'null'), '[]'))
        EXCEPT SELECT unnest(v_watched)));
    seen_sqlstate := v_run ->> 'sqlstate';
    SELECT j.outcome, j.detail INTO outcome, detail
      FROM @extschema@._judge(v_run, v_fired, sqlstate,
                              (plain -> 'before') || v_news, (plain -> 'after') || v_news,
                              plain -> 'tolerance',
                              @extschema@._leaks(plain -> 'session')) AS j;
    PERFORM @extschema@._release_locks(plain -> 'session');
END;
$function$;
COMMENT ON FUNCTION @extschema@._disturbed(text, text, bigint, text, bigint, text, jsonb, jsonb) IS
    'Rehearses a statement with the fault at one hit and judges the outcome.';

--
-- _aim(fault_id, failpoint, nth, sqlstate)
--
-- Points a fault of this session at one hit of one failpoint, and answers its slot.
-- Writes: _fault, the sequences of the slot, the setting pggit_chaos.armed.
--
CREATE FUNCTION @extschema@._aim(fault_id bigint, failpoint text, nth bigint, sqlstate text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_term text := format('error(%s)', sqlstate);
    v_slot integer;
BEGIN
    UPDATE @extschema@._fault AS f
       SET failpoint = _aim.failpoint,
           pattern = @extschema@._failpoint_pattern(_aim.failpoint),
           term = v_term,
           program = @extschema@._parse_term(v_term, _aim.failpoint),
           start_hit = nth,
           end_hit = nth,
           expires_at = clock_timestamp() + (f.expires_at - f.armed_at),
           armed_at = clock_timestamp()
     WHERE f.fault_id = _aim.fault_id
 RETURNING f.slot INTO STRICT v_slot;
    PERFORM setval(@extschema@._counter(v_slot, 'hits'), 0, true),
            setval(@extschema@._counter(v_slot, 'fired'), 0, true);
    PERFORM @extschema@._show_own_faults();
    RETURN v_slot;
END;
$function$;
COMMENT ON FUNCTION @extschema@._aim(bigint, text, bigint, text) IS
    'Points a fault of this session at one hit of one failpoint, and answers its slot.';
--
-- trace(statement)
--
-- Which failpoints a statement passes, in order, each with the call stack that
-- led there, innermost first.  The statement is run and taken back; so are the
-- sequences that it moved.  Writes: nothing that stays.  Locks: SHARE ROW EXCLUSIVE
-- on all sequences.
-- Calls: _arm, _isolate_sequences, _rehearse, _journal.
--
CREATE FUNCTION @extschema@._trace(statement text, path text)
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sequences jsonb;
    v_session   jsonb;
    v_fault_id  bigint;
    v_run       jsonb;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    PERFORM @extschema@._require_hooks();
    PERFORM @extschema@._isolate_sequences();
    v_sequences := @extschema@._sequences();
    v_session := @extschema@._session_state('{}');
    PERFORM @extschema@._forget_journal();
    v_fault_id := @extschema@._arm('*', 'journal');
    v_run := @extschema@._rehearse(statement, path, '{}');
    PERFORM @extschema@.disarm(v_fault_id);
    PERFORM @extschema@._set_sequences(v_sequences);
    PERFORM @extschema@._release_locks(v_session);
    PERFORM @extschema@._require_success(v_run);
    RETURN QUERY SELECT j.hit, j.failpoint, j.stack FROM @extschema@._journal() AS j;
    PERFORM @extschema@._forget_journal();
-- What no rollback takes back goes here.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM @extschema@._release_locks(v_session),
            @extschema@._forget_journal();
    RAISE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._trace(text, text) IS
    'As trace(), with the search_path under which the statement is to run.';

CREATE FUNCTION @extschema@.trace(statement text)
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT t.hit, t.failpoint, t.stack
      FROM @extschema@._trace(statement, current_setting('search_path')) AS t;
END;
COMMENT ON FUNCTION @extschema@.trace(text) IS
    'Runs a statement, takes it back, and lists the failpoints that it passes, in order.';

CREATE FUNCTION @extschema@._require_success(run jsonb)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF run ->> 'sqlstate' IS NOT NULL THEN
        RAISE EXCEPTION 'the statement fails without any fault: %', run ->> 'message'
            USING ERRCODE = 'PC007',
                  DETAIL = format('Its SQLSTATE is %s.', run ->> 'sqlstate');
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_success(jsonb) IS
    'Raises PC007 where an undisturbed run ended in an error.';

--
-- _journal(), _forget_journal()
--
-- What the action journal has written into this session, and its removal.
--
CREATE FUNCTION @extschema@._journal()
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text;
BEGIN
    FOR hit, v_name IN
        SELECT substring(s.name FROM '\d+$')::bigint, s.name
          FROM pg_catalog.pg_prepared_statements AS s
         WHERE s.name ~ '^@extschema@ hit \d+$'
         ORDER BY 1
    LOOP
        EXECUTE format('EXECUTE %I', v_name) INTO failpoint, stack;
        stack := @extschema@._own_stack(stack);
        RETURN NEXT;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._journal() IS
    'Reads the hits that the action journal has written down.';

CREATE FUNCTION @extschema@._forget_journal()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN
        SELECT s.name
          FROM pg_catalog.pg_prepared_statements AS s
         WHERE s.name ~ '^@extschema@ hit \d+$'
    LOOP
        EXECUTE format('DEALLOCATE %I', v_name);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._forget_journal() IS
    'Removes what the action journal has written down.';

--
-- _own_stack(stack), _places(stack)
--
-- A call stack without our own frames at both ends; and the places in it,
-- function and line, without the texts of the statements, which differ from call
-- to call.
--
CREATE FUNCTION @extschema@._own_stack(stack text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT split_part(
               regexp_replace(stack, '^.*?function @extschema@\.(?:_hit_armed|_row_hook|_ddl_hook)'
                                     '\([^\n]*\n(?:SQL function "hit"[^\n]*\n)?', ''),
               E'\nPL/pgSQL function @extschema@._execute(', 1);
$function$;
COMMENT ON FUNCTION @extschema@._own_stack(text) IS
    'Removes our own frames from both ends of a call stack.';

CREATE FUNCTION @extschema@._places(stack text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(m.match[1] || ':' || m.match[2], ' ' ORDER BY m.position)
      FROM regexp_matches(stack, '^PL/pgSQL function (.*) line (\d+) at ', 'gn')
           WITH ORDINALITY AS m(match, position);
$function$;
COMMENT ON FUNCTION @extschema@._places(text) IS
    'Reduces a call stack to its functions and lines.';
--
-- Nothing of ours is for PUBLIC but the hit path: whoever calls a hooked pgGit
-- function passes through it, and without the grant a hook would turn an
-- ordinary user's commit into 42501.
--
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA @extschema@ FROM PUBLIC;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
-- Called at the entry of each hooked function.  It reveals nothing, and does
-- nothing unless a fault is armed for the session that calls it.
GRANT EXECUTE ON FUNCTION @extschema@.hit(text) TO PUBLIC;
-- hit() is inlined, and so whoever passes it calls these himself.  They tell that
-- something is armed at a failpoint, not what.
GRANT EXECUTE ON FUNCTION @extschema@._armed(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._armed_for_others(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._hit_armed(text) TO PUBLIC;
