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
        SELECT 'zz_pggit_chaos_' || t.suffix AS name, t.form || ' FOR EACH ROW ' || t.call AS form
          FROM (VALUES
                   ('before', 'CREATE TRIGGER %I BEFORE INSERT OR UPDATE ON %s',
                    'EXECUTE FUNCTION @extschema@._before_write_hook(%L)'),
                   ('before_delete', 'CREATE TRIGGER %I BEFORE DELETE ON %s',
                    'EXECUTE FUNCTION @extschema@._before_delete_hook(%L)'),
                   ('after', 'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s',
                    'EXECUTE FUNCTION @extschema@._after_hook(%L)'),
                   ('commit', 'CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s '
                              'DEFERRABLE INITIALLY DEFERRED',
                    'EXECUTE FUNCTION @extschema@._commit_hook(%L)')
               ) AS t(suffix, form, call)
    LOOP
        IF EXISTS (SELECT
                     FROM pg_catalog.pg_trigger AS g
                    WHERE g.tgrelid = relation
                      AND g.tgname = v_trigger.name) THEN
            EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.name, relation);
        END IF;
        EXECUTE format(v_trigger.form, v_trigger.name, relation, relation::text);
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
