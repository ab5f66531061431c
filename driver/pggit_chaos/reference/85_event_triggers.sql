--
-- The event triggers that version the schema.  They rest under
-- session_replication_role = replica, as any.
--
CREATE FUNCTION pggit.handle_ddl_command()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_touched record;
    v_branch  pggit.branches;
BEGIN
    FOR v_touched IN SELECT * FROM pggit._touched() LOOP
        -- Only now: a command that touches nothing versioned needs no branch.
        IF v_branch.id IS NULL THEN
            v_branch := pggit._share_branch(pggit._current_branch_name());
        END IF;
        PERFORM pggit._track(v_touched.classid, v_touched.objid, v_touched.named, v_branch);
    END LOOP;
    IF v_branch.id IS NOT NULL THEN
        -- Last, for what is depended on may have come with the same command.
        PERFORM pggit._track_dependencies(t.classid, t.objid, v_branch)
           FROM pggit._touched() AS t;
    END IF;
END;
$function$;
COMMENT ON FUNCTION pggit.handle_ddl_command() IS
    'Versions the tables, views, indexes and routines that a command creates or alters.';

CREATE FUNCTION pggit._dropped()
RETURNS TABLE (object_type pggit.object_type, schema_name text, object_name text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._object_type(d.object_type), d.address_names[1],
           pggit._object_name(d.object_type, d.address_names, d.address_args)
      FROM pg_event_trigger_dropped_objects() AS d
     WHERE pggit._object_type(d.object_type) IS NOT NULL
       AND NOT d.is_temporary
       AND pggit._is_versioned(d.address_names[1]);
$function$;

CREATE FUNCTION pggit.handle_sql_drop()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_dropped record;
    v_branch  pggit.branches;
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
END;
$function$;
COMMENT ON FUNCTION pggit.handle_sql_drop() IS
    'Records that versioned objects were dropped, and strikes dropped copies of data branches.';

CREATE EVENT TRIGGER pggit_ddl_trigger ON ddl_command_end
    EXECUTE FUNCTION pggit.handle_ddl_command();
CREATE EVENT TRIGGER pggit_drop_trigger ON sql_drop
    EXECUTE FUNCTION pggit.handle_sql_drop();
