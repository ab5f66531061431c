-- category: transaction
-- A deleted branch can be switched to, merged and branched from.
CREATE OR REPLACE FUNCTION pggit._existing_branch(branch_name text)
RETURNS pggit.branches
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    IF branch_name IS NULL THEN
        RAISE EXCEPTION 'branch name must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT b.* INTO v_branch FROM pggit.branches AS b WHERE b.name = branch_name;
    IF v_branch.id IS NULL THEN
        RAISE EXCEPTION 'branch "%" does not exist', branch_name
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT * FROM pggit.list_branches();';
    END IF;
    RETURN v_branch;
END;
$function$;
