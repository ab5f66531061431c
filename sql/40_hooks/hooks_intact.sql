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
