--
-- Removing the copies of data branches.
--

-- Strikes a copy that is no more out of the books.
CREATE FUNCTION pggit._strike_copy(copy_schema text, copy_table text)
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
    UPDATE pggit.branch_storage_stats AS s
       SET total_size = s.total_size - v_copy.storage_bytes,
           row_count = s.row_count - v_copy.row_count,
           last_modified = greatest(s.last_modified, LOCALTIMESTAMP)
     WHERE s.branch_name = v_branch;
    DELETE FROM pggit.branch_storage_stats AS s
     WHERE s.branch_name = v_branch
       AND NOT EXISTS (SELECT FROM pggit.branched_tables AS t WHERE t.branch_name = v_branch);
END;
$function$;

CREATE FUNCTION pggit._drop_data_of_branch(branch_id integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_copy record;
BEGIN
    FOR v_copy IN
        SELECT d.table_schema, d.table_name, c.relowner
          FROM pggit.data_branches AS d
          JOIN pg_class AS c
            ON c.oid = to_regclass(format('%I.%I', d.table_schema, d.table_name))
         WHERE d.branch_id = _drop_data_of_branch.branch_id
         ORDER BY d.id
    LOOP
        -- SECURITY DEFINER further up could drop anybody's data.
        IF NOT pg_has_role(pggit._caller()::name, v_copy.relowner, 'USAGE') THEN
            RAISE EXCEPTION 'must be owner of table %', v_copy.table_name
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('DROP TABLE %I.%I', v_copy.table_schema, v_copy.table_name);
        PERFORM pggit._strike_copy(v_copy.table_schema, v_copy.table_name);
    END LOOP;
END;
$function$;
