-- category: concurrent
-- Nobody can read which branches there are while one is created.
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
    LOCK TABLE pggit.branches IN ACCESS EXCLUSIVE MODE;
    v_parent := pggit._existing_branch(parent_name);
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
