-- category: property
-- Objects whose names differ in case only are recorded as one.
CREATE OR REPLACE FUNCTION pggit._object_name(catalog_type text, names text[], arguments text[])
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    -- A type of PostgreSQL's own goes by its plain name; all others are qualified.
    SELECT quote_ident(lower(names[2]))
           || CASE WHEN catalog_type IN ('function', 'procedure')
              THEN '(' || COALESCE((SELECT string_agg(regexp_replace(a.type, '^pg_catalog\.', ''),
                                                      ', ' ORDER BY a.place)
                                      FROM unnest(arguments) WITH ORDINALITY AS a(type, place)), '')
                   || ')'
              ELSE '' END;
$function$;

CREATE OR REPLACE FUNCTION pggit._find(
    object_type pggit.object_type, schema_name text, object_name text)
RETURNS TABLE (classid oid, objid oid)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    WITH candidate AS (
        SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid
          FROM pg_class AS c
         WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = schema_name)
           AND quote_ident(lower(c.relname)) = object_name
         UNION ALL
        SELECT 'pg_proc'::regclass, p.oid
          FROM pg_proc AS p
         WHERE p.pronamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = schema_name)
           AND starts_with(object_name, quote_ident(lower(p.proname)) || '('))
    SELECT c.classid, c.objid
      FROM candidate AS c
     CROSS JOIN LATERAL pg_identify_object_as_address(c.classid, c.objid, 0) AS i
     WHERE pggit._object_type(i.type) = _find.object_type
       AND pggit._object_name(i.type, i.object_names, i.object_args) = _find.object_name;
$function$;
