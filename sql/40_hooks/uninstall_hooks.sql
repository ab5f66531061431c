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
          JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
         WHERE p.pronamespace = '@extschema@'::regnamespace
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
