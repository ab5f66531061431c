-- category: concurrent
-- A schema change does not hold the branch that it is recorded on: it can be deleted meanwhile.
CREATE OR REPLACE FUNCTION pggit._share_branch(branch_name text)
RETURNS pggit.branches
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    v_branch := pggit._existing_branch(branch_name);
    RETURN v_branch;
END;
$function$;
