-- category: transaction
-- A branch is created from a parent that does not exist, and has none.
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
    SELECT b.* INTO v_parent FROM pggit.branches AS b WHERE b.name = parent_name;
    INSERT INTO pggit.branches (name, parent_branch_id, head_commit_hash, created_at, created_by)
    VALUES (branch_name, v_parent.id, v_parent.head_commit_hash,
            greatest(LOCALTIMESTAMP, v_parent.created_at), pggit._caller())
    ON CONFLICT (name) DO NOTHING
    RETURNING * INTO v_branch;
    IF FOUND THEN
        PERFORM pggit._copy_objects(v_parent.id, v_branch);
    END IF;
    RETURN v_branch.id;
END;
$function$;
