-- category: resource
-- Each new branch leaves a prepared statement behind in its session.
CREATE OR REPLACE FUNCTION pggit.create_branch(
    p_branch_name text, p_parent_branch text DEFAULT 'main', p_copy_data boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer := pggit._add_branch(p_branch_name, p_parent_branch);
BEGIN
    IF v_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" already exists', p_branch_name
            USING ERRCODE = 'unique_violation', SCHEMA = 'pggit', TABLE = 'branches',
                  CONSTRAINT = 'branches_name_key';
    END IF;
    IF p_copy_data THEN
        PERFORM pggit._copy_data(t.relation, p_parent_branch, p_branch_name)
           FROM pggit._tables_of_branch(v_branch_id) AS t(relation);
    END IF;
    EXECUTE format('PREPARE %I AS SELECT b.* FROM pggit.branches AS b WHERE b.id = %s',
                   'branch ' || v_branch_id, v_branch_id);
    RETURN v_branch_id;
END;
$function$;
