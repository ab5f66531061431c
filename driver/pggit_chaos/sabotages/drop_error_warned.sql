-- category: transaction
-- A drop that cannot be recorded goes through with a warning.
CREATE OR REPLACE FUNCTION pggit.handle_sql_drop()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_dropped  record;
    v_bereaved pggit._touched_object;
    v_branch   pggit.branches;
BEGIN
    PERFORM pggit._strike_copy(d.schema_name, d.object_name)
       FROM pg_event_trigger_dropped_objects() AS d
      WHERE d.object_type = 'table' AND d.schema_name = 'pggit_base';
    FOR v_dropped IN SELECT * FROM pggit._dropped() LOOP
        IF v_branch.id IS NULL THEN
            v_branch := pggit._share_branch(pggit._current_branch_name());
        END IF;
        -- An index that went with its table is retired already.
        PERFORM pggit._retire_object(o.id, format('DROP %s %s', o.object_type, o.full_name))
           FROM pggit.objects AS o
          WHERE (o.object_type, o.schema_name, o.object_name, o.branch_name)
              = (v_dropped.object_type, v_dropped.schema_name, v_dropped.object_name,
                 v_branch.name)
            AND o.is_active;
    END LOOP;
    FOR v_bereaved IN SELECT * FROM pggit._bereaved() LOOP
        IF v_branch.id IS NULL THEN
            v_branch := pggit._share_branch(pggit._current_branch_name());
        END IF;
        PERFORM pggit._track(v_bereaved, v_branch);
        PERFORM pggit._track_dependencies(v_bereaved.classid, v_bereaved.objid, v_branch);
    END LOOP;
EXCEPTION
    WHEN OTHERS THEN
        RAISE WARNING 'drop not recorded: %', SQLERRM;
END;
$function$;
