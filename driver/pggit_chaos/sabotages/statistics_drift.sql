-- category: corruption
-- The storage statistics of a branch still count a copy that was dropped.
CREATE OR REPLACE FUNCTION pggit._strike_copy(copy_schema text, copy_table text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_copy   pggit.data_branches;
    v_branch text;
BEGIN
    DELETE FROM pggit.data_branches AS d
     WHERE d.table_schema = copy_schema AND d.table_name = copy_table
    RETURNING * INTO v_copy;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE pggit.data_branches AS d
       SET parent_table = NULL
     WHERE d.table_schema = copy_schema AND d.parent_table = copy_table;
    DELETE FROM pggit.branched_tables AS t
     WHERE t.branch_schema = copy_schema AND t.branch_table = copy_table
    RETURNING t.branch_name INTO v_branch;
    DELETE FROM pggit.branch_storage_stats AS s
     WHERE s.branch_name = v_branch
       AND NOT EXISTS (SELECT FROM pggit.branched_tables AS t WHERE t.branch_name = v_branch);
END;
$function$;
