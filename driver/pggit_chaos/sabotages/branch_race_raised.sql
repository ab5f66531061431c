-- category: concurrent
-- A commit to a new branch fails if another session creates the branch meanwhile.
CREATE OR REPLACE FUNCTION pggit._add_branch(branch_name text, parent_name text)
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_parent pggit.branches;
    v_branch pggit.branches;
BEGIN
    PERFORM pggit._check_branch_name(branch_name);
    v_parent := pggit._existing_branch(parent_name);
    IF EXISTS (SELECT FROM pggit.branches AS b WHERE b.name = branch_name) THEN
        RETURN NULL;
    END IF;
    INSERT INTO pggit.branches (name, parent_branch_id, head_commit_hash, created_at, created_by)
    VALUES (branch_name, v_parent.id, v_parent.head_commit_hash,
            greatest(LOCALTIMESTAMP, v_parent.created_at), pggit._caller())
    RETURNING * INTO v_branch;
    PERFORM pggit._copy_objects(v_parent.id, v_branch);
    RETURN v_branch.id;
END;
$function$;
