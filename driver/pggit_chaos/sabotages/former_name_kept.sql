-- category: corruption
-- An object that was renamed is recorded under both of its names.
CREATE OR REPLACE FUNCTION pggit._succeed(former pggit.objects, object_id integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE pggit.objects AS o
       SET parent_id = object_id
     WHERE o.parent_id = former.id AND o.object_type = 'INDEX';
END;
$function$;
