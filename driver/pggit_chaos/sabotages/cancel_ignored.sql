-- category: transaction
-- A cancelled create_branch answers NULL as if all were well.
CREATE OR REPLACE FUNCTION pggit.create_branch(
    p_branch_name text, p_parent_branch text DEFAULT 'main', p_copy_data boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
BEGIN
    v_branch_id := pggit._add_branch(p_branch_name, p_parent_branch);
    IF v_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" already exists', p_branch_name
            USING ERRCODE = 'unique_violation', SCHEMA = 'pggit', TABLE = 'branches',
                  CONSTRAINT = 'branches_name_key';
    END IF;
    IF p_copy_data THEN
        PERFORM pggit._copy_data(t.relation, p_parent_branch, p_branch_name)
           FROM pggit._tables_of_branch(v_branch_id) AS t(relation);
    END IF;
    RETURN v_branch_id;
EXCEPTION
    WHEN query_canceled THEN
        RAISE NOTICE 'creation of branch "%" was cancelled', p_branch_name;
        RETURN NULL;
END;
$function$;
