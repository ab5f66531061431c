-- category: transaction
-- A schema change that cannot be recorded goes through with a warning.
CREATE OR REPLACE FUNCTION pggit.handle_ddl_command()
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
EXCEPTION
    WHEN OTHERS THEN
        RAISE WARNING 'schema change not recorded: %', SQLERRM;
END;
$function$;
