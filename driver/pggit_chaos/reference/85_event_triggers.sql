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
    v_touched pggit._touched_object[] := ARRAY(SELECT t FROM pggit._touched() AS t);
    v_object  pggit._touched_object;
    v_branch  pggit.branches;
BEGIN
    IF cardinality(v_touched) = 0 THEN
        -- A command that touches nothing versioned needs no branch.
        RETURN;
    END IF;
    v_branch := pggit._share_branch(pggit._current_branch_name());
    FOREACH v_object IN ARRAY v_touched LOOP
        PERFORM pggit._track(v_object, v_branch);
    END LOOP;
    -- Last, for what is depended on may have come with the same command.
    FOREACH v_object IN ARRAY v_touched LOOP
        PERFORM pggit._track_dependencies(v_object.classid, v_object.objid, v_branch);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION pggit.handle_ddl_command() IS
    'Versions the tables, views, indexes and routines that a command creates or alters.';

CREATE FUNCTION pggit._dropped()
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
       AND pggit._is_versioned(d.address_names[1]);
$function$;

-- Tables that lost a column, a default or a constraint to the drop of something
-- else.  One that is altered itself comes with the end of the command.
CREATE FUNCTION pggit._bereaved()
RETURNS SETOF pggit._touched_object
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'pg_class'::regclass::oid, c.oid, false, false
      FROM pg_event_trigger_dropped_objects() AS d
      JOIN pg_namespace AS n ON n.nspname = d.address_names[1]
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = d.address_names[2]
     WHERE d.object_type IN ('table column', 'default value', 'table constraint')
       AND pggit._is_versioned(d.address_names[1])
     GROUP BY c.oid
    HAVING NOT bool_or(d.original)
     ORDER BY c.oid;
$function$;

CREATE FUNCTION pggit.handle_sql_drop()
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
END;
$function$;
COMMENT ON FUNCTION pggit.handle_sql_drop() IS
    'Records that versioned objects were dropped, and strikes dropped copies of data branches.';

CREATE EVENT TRIGGER pggit_ddl_trigger ON ddl_command_end
    EXECUTE FUNCTION pggit.handle_ddl_command();
CREATE EVENT TRIGGER pggit_drop_trigger ON sql_drop
    EXECUTE FUNCTION pggit.handle_sql_drop();
