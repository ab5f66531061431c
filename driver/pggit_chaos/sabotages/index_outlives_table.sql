-- category: corruption
-- The indexes of a table that was dropped stay recorded as active.
CREATE OR REPLACE FUNCTION pggit._retire_object(object_id integer, description text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit._set_columns(object_id, '{}');
    DELETE FROM pggit.dependencies AS d WHERE object_id IN (d.dependent_id, d.depends_on_id);
    PERFORM pggit._change_object(object_id, 'DROP', 'MAJOR', description, NULL, NULL, NULL);
END;
$function$;

CREATE OR REPLACE FUNCTION pggit._dropped()
RETURNS TABLE (object_type pggit.object_type, schema_name text, object_name text)
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._object_type(d.object_type), d.address_names[1],
           pggit._object_name(d.object_type, d.address_names, d.address_args)
      FROM pg_event_trigger_dropped_objects() AS d
     WHERE pggit._object_type(d.object_type) IS NOT NULL
       AND NOT d.is_temporary
       AND (d.original OR d.object_type <> 'index')
       AND pggit._is_versioned(d.address_names[1]);
$function$;
