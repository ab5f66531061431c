-- category: corruption
-- With a dropped object all of its history is deleted.
CREATE OR REPLACE FUNCTION pggit._retire_object(object_id integer, description text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit._retire_object(o.id, description)
       FROM pggit.objects AS o
      WHERE o.parent_id = object_id AND o.object_type = 'INDEX' AND o.is_active;
    PERFORM pggit._set_columns(object_id, '{}');
    DELETE FROM pggit.dependencies AS d WHERE object_id IN (d.dependent_id, d.depends_on_id);
    DELETE FROM pggit.objects AS o WHERE o.id = object_id;
END;
$function$;
