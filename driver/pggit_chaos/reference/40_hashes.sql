--
-- Hashes of definitions.  A definition is text that PostgreSQL deparses, and
-- so every setting that this depends on is pinned: equal definitions have equal
-- hashes in every session.
--
CREATE FUNCTION pggit._sha256(content text)
RETURNS text
LANGUAGE sql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT encode(sha256(convert_to(content, 'UTF8')), 'hex');
$function$;

CREATE FUNCTION pggit._columns(relation oid)
RETURNS TABLE (name text, definition jsonb)
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
AS $function$
    SELECT a.attname,
           jsonb_strip_nulls(jsonb_build_object('identity', NULLIF(a.attidentity, ''),
                                                'generated', NULLIF(a.attgenerated, '')))
           || jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
                                 'nullable', NOT a.attnotnull,
                                 'default', pg_get_expr(d.adbin, d.adrelid),
                                 'position', a.attnum)
      FROM pg_attribute AS a
      LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped;
$function$;

-- The definition of a table, view or index: NULL where there is none.
CREATE FUNCTION pggit._relation_definition(relation oid)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
AS $function$
    SELECT CASE
           WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid)
           WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
           ELSE concat_ws(E'\n', c.relkind, c.relpersistence,
                (SELECT string_agg(l.name || ' ' || l.definition, E'\n'
                                   ORDER BY (l.definition ->> 'position')::integer)
                   FROM pggit._columns(c.oid) AS l),
                -- PostgreSQL 18 stores NOT NULL as a constraint too.
                (SELECT string_agg(r.conname || ' ' || pg_get_constraintdef(r.oid), E'\n'
                                   ORDER BY r.conname)
                   FROM pg_constraint AS r
                  WHERE r.conrelid = c.oid AND r.contype <> 'n'),
                pg_get_partkeydef(c.oid),
                pg_get_expr(c.relpartbound, c.oid))
           END
      FROM pg_class AS c
     WHERE c.oid = relation;
$function$;

CREATE FUNCTION pggit._routine_definition(routine oid)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
AS $function$
    SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE p.oid = routine AND p.prokind <> 'a';
$function$;
