-- category: corruption
-- The columns of a table that was dropped stay recorded.
CREATE OR REPLACE FUNCTION pggit._retire_object(object_id integer, description text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit._retire_object(o.id, description)
       FROM pggit.objects AS o
      WHERE o.parent_id = object_id AND o.object_type = 'INDEX' AND o.is_active;
    DELETE FROM pggit.dependencies AS d WHERE object_id IN (d.dependent_id, d.depends_on_id);
    PERFORM pggit._change_object(object_id, 'DROP', 'MAJOR', description, NULL, NULL, NULL);
END;
$function$;
