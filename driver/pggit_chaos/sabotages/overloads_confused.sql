-- category: property
-- Functions of one name are recorded as one, whatever their arguments.
CREATE OR REPLACE FUNCTION pggit._object_name(catalog_type text, names text[], arguments text[])
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    SELECT quote_ident(names[2])
           || CASE WHEN catalog_type IN ('function', 'procedure') THEN '()' ELSE '' END;
$function$;
