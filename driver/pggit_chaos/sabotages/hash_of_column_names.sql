-- category: property
-- The hash of a table knows its columns' names and not their definitions.
CREATE OR REPLACE FUNCTION pggit._relation_definition(relation oid)
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
                (SELECT string_agg(l.name, E'\n'
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
