-- category: corruption
-- With a deleted branch its commits and its history are gone.
CREATE OR REPLACE FUNCTION pggit.delete_branch_simple(p_branch_name text)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    PERFORM FROM pggit.branches AS b WHERE b.name = p_branch_name FOR UPDATE;
    v_branch := pggit._existing_branch(p_branch_name);
    IF v_branch.parent_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" is protected', p_branch_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Every branch descends from it.';
    END IF;
    PERFORM pggit._drop_data_of_branch(v_branch.id);
    DELETE FROM pggit.dependencies AS d WHERE d.branch_id = v_branch.id;
    DELETE FROM pggit.objects AS o WHERE o.branch_id = v_branch.id;
    DELETE FROM pggit.branches AS b WHERE b.id = v_branch.id;
END;
$function$;
