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
     WHERE p.pronamespace <> '@extschema@'::regnamespace
       AND p.prolang = (SELECT l.oid FROM pg_catalog.pg_language AS l WHERE l.lanname = 'plpgsql')
       AND strpos(p.prosrc, '/*pggit_chaos*/BEGIN IF @extschema@.hit(') > 0
       AND f.failpoint IS NOT NULL
    UNION ALL
    SELECT t.kind, t.relation::text, min(@extschema@._hooked_table(t.tgargs)),
           count(*) = CASE t.kind WHEN 'commit' THEN 1 ELSE 3 END
           AND bool_and(t.tgenabled = 'O')
      FROM (SELECT CASE g.tgname WHEN 'zz_pggit_chaos_commit' THEN 'commit'
                                 ELSE 'table' END AS kind,
                   g.tgrelid::regclass AS relation, g.tgargs, g.tgenabled
              FROM pg_catalog.pg_trigger AS g
              JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
             WHERE p.pronamespace = '@extschema@'::regnamespace
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
