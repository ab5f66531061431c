-- category: transaction
-- The branch that all others descend from can be deleted.
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
    UPDATE pggit.branches AS b SET status = 'DELETED' WHERE b.id = v_branch.id;
    PERFORM pggit._drop_data_of_branch(v_branch.id);
END;
$function$;
