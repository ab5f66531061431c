--
-- _definitions(schemas), _function_definitions(schemas)
--
-- What the catalogue holds of the given schemas, one row an object, in words
-- that no OID is part of.  Functions, most of the text, are apart.  Hooks are left
-- out, and hooked bodies are read as their originals: the observer is not part of
-- what it observes.  Write: nothing.
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
      JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
     WHERE NOT g.tgisinternal
       AND p.pronamespace <> '@extschema@'::regnamespace
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
    'Lists what the catalogue defines in the given schemas but functions, without OIDs or hooks.';

CREATE FUNCTION @extschema@._function_definitions(schemas name[])
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
    SELECT 'function', p.oid::regprocedure::text,
           concat_ws(' ', l.lanname, p.prokind, p.provolatile, p.proparallel, p.prosecdef,
                     p.proleakproof, p.proisstrict, p.proretset, p.procost, p.prorows,
                     p.proowner::regrole, p.proacl, p.proconfig,
                     pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                     COALESCE(pg_get_function_sqlbody(p.oid),
                              @extschema@._unhooked_source(p.prosrc)))
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
     WHERE n.nspname = ANY (schemas);
$function$;
COMMENT ON FUNCTION @extschema@._function_definitions(name[]) IS
    'Lists the functions of the given schemas, without OIDs, hooked bodies as their originals.';
