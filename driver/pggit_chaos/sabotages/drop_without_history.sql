-- category: corruption
-- That an object was dropped is not in its history.
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
    UPDATE pggit.objects AS o
       SET is_active = false, updated_at = greatest(o.updated_at, LOCALTIMESTAMP)
     WHERE o.id = object_id;
END;
$function$;
