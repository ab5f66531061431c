-- category: concurrent
-- A branch is deleted while another session copies data for it: the copy stays.
CREATE OR REPLACE FUNCTION pggit.delete_branch_simple(p_branch_name text)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    v_branch := pggit._existing_branch(p_branch_name);
    IF v_branch.parent_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" is protected', p_branch_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Every branch descends from it.';
    END IF;
    UPDATE pggit.branches AS b SET status = 'DELETED' WHERE b.id = v_branch.id;
    PERFORM pggit._drop_data_of_branch(v_branch.id);
END;
$function$;
