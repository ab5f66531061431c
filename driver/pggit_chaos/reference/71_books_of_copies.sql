--
-- The books of data branches: data_branches, branched_tables and
-- branch_storage_stats tell of the same copies.
--

-- Enters a copy that _copy_data made.  PUBLIC can call it, and so it does not
-- let anyone enter a table that is somebody's copy already.
CREATE FUNCTION pggit._enter_copy(
    source regclass, copy regclass, copied_from regclass, branch_name text, row_count bigint)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches := pggit._share_branch(branch_name);
    v_size   bigint := pg_total_relation_size(copy);
    v_source text[] := pggit._name_parts(source);
    v_copy   text[] := pggit._name_parts(copy);
    v_parent text[] := pggit._name_parts(copied_from);
BEGIN
    IF v_copy[1] <> 'pggit_base' OR EXISTS (
        SELECT FROM pggit.data_branches AS d
         WHERE d.table_schema = v_copy[1] AND d.table_name = v_copy[2]) THEN
        RAISE EXCEPTION 'table "%" is not a new copy', copy USING ERRCODE = 'wrong_object_type';
    END IF;
    INSERT INTO pggit.branch_storage_stats AS s (branch_name, created_at, last_modified, total_size,
                                                 row_count, cow_enabled)
    VALUES (branch_name, LOCALTIMESTAMP, LOCALTIMESTAMP, v_size, _enter_copy.row_count, false)
    ON CONFLICT ON CONSTRAINT branch_storage_stats_pkey DO UPDATE
       SET total_size = s.total_size + EXCLUDED.total_size,
           row_count = s.row_count + EXCLUDED.row_count,
           last_modified = greatest(s.last_modified, EXCLUDED.last_modified);
    INSERT INTO pggit.branched_tables (branch_name, source_schema, source_table, branch_schema,
                                       branch_table, branched_at, row_count, uses_cow)
    VALUES (branch_name, v_source[1], v_source[2], v_copy[1], v_copy[2], LOCALTIMESTAMP,
            _enter_copy.row_count, false);
    -- The parent is the copy that this one was copied from, if it was from one.
    INSERT INTO pggit.data_branches (table_schema, table_name, branch_id, parent_table,
                                     cow_enabled, row_count, storage_bytes, created_at)
    VALUES (v_copy[1], v_copy[2], v_branch.id,
            CASE WHEN v_parent[1] = 'pggit_base' THEN v_parent[2] END,
            false, _enter_copy.row_count, v_size, LOCALTIMESTAMP);
END;
$function$;

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
