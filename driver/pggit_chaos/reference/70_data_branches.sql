--
-- Data branches: a table's rows, copied for a branch into pggit_base.
--
-- The functions that read users' tables are SECURITY INVOKER: nobody gets to
-- see in a copy what he may not read in the table, and who made a copy owns it.
--

CREATE FUNCTION pggit._versioned_table(table_name text)
RETURNS regclass
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := pggit._relation(table_name);
BEGIN
    IF v_relation IS NULL THEN
        RAISE EXCEPTION 'table "%" does not exist', table_name
            USING ERRCODE = 'undefined_table',
                  HINT = 'A name without a schema is one of public.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class AS c
                    WHERE c.oid = v_relation
                      AND c.relkind IN ('r', 'p')
                      AND pggit._is_versioned(c.relnamespace::regnamespace::text)) THEN
        RAISE EXCEPTION '"%" is not a table that pgGit versions', table_name
            USING ERRCODE = 'wrong_object_type';
    END IF;
    RETURN v_relation;
END;
$function$;

-- Where a branch keeps its copy of a table.
CREATE FUNCTION pggit._copy_name(source regclass, branch_name text)
RETURNS name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A long name is cut to fit; the hash keeps two that begin alike apart.
    SELECT CASE WHEN octet_length(f.name) < 64 THEN f.name
           ELSE left(pggit._sha256(f.name), 8) || ' ' || f.name END
      FROM (SELECT format('%s %s.%s', branch_name, n.nspname, c.relname)
              FROM pg_class AS c
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.oid = source) AS f(name);
$function$;

-- What a branch has of a table: its own copy, or else the table itself.
CREATE FUNCTION pggit._data_of_branch(source regclass, branch_name text)
RETURNS regclass
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE((SELECT to_regclass(format('%I.%I', t.branch_schema, t.branch_table))
                       FROM pggit.branched_tables AS t
                       JOIN pg_namespace AS n ON n.nspname = t.source_schema
                       JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.source_table
                      WHERE c.oid = source AND t.branch_name = _data_of_branch.branch_name),
                    source);
$function$;

CREATE FUNCTION pggit._tables_of_branch(branch_id integer)
RETURNS SETOF regclass
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A partition's rows come with its table.
    SELECT c.oid::regclass
      FROM pggit.objects AS o
     CROSS JOIN LATERAL pggit._find(o.object_type, o.schema_name, o.object_name) AS f
      JOIN pg_class AS c ON c.oid = f.objid
     WHERE o.branch_id = _tables_of_branch.branch_id
       AND o.object_type = 'TABLE'
       AND o.is_active
       AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition
     ORDER BY o.id;
$function$;

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
    v_source text[] := (pg_identify_object_as_address('pg_class'::regclass, source, 0)).object_names;
    v_copy   text[] := (pg_identify_object_as_address('pg_class'::regclass, copy, 0)).object_names;
    v_parent text[] := (pg_identify_object_as_address('pg_class'::regclass, copied_from, 0)).object_names;
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

-- A copy's identity columns go on behind the rows that were copied.
CREATE FUNCTION pggit._advance_identity(copy regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_column name;
BEGIN
    FOR v_column IN
        SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = copy AND a.attidentity <> ''
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), max(%I)) FROM %s HAVING max(%I) > 0',
                       copy, v_column, v_column, copy, v_column);
    END LOOP;
END;
$function$;

CREATE FUNCTION pggit._copy_data(source regclass, source_branch text, branch_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_from    regclass := pggit._data_of_branch(source, source_branch);
    v_copy    text := format('pggit_base.%I', pggit._copy_name(source, branch_name));
    v_columns text;
    v_rows    bigint;
BEGIN
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', v_copy, v_from);
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
      FROM pg_attribute AS a
     WHERE a.attrelid = v_from AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    EXECUTE format('INSERT INTO %s %s OVERRIDING SYSTEM VALUE SELECT %s FROM %s', v_copy,
                   '(' || v_columns || ')', v_columns, v_from);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    PERFORM pggit._advance_identity(v_copy::regclass);
    PERFORM pggit._enter_copy(source, v_copy::regclass, v_from, branch_name, v_rows);
END;
$function$;

CREATE FUNCTION pggit.create_data_branch(
    p_table_name text, p_source_branch text, p_branch_name text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_source regclass := pggit._versioned_table(p_table_name);
    v_branch pggit.branches;
BEGIN
    PERFORM pggit._existing_branch(p_source_branch);
    PERFORM pggit._add_branch(p_branch_name, p_source_branch);
    v_branch := pggit._share_branch(p_branch_name);
    PERFORM pggit._copy_data(v_source, p_source_branch, p_branch_name);
    RETURN v_branch.id;
END;
$function$;
COMMENT ON FUNCTION pggit.create_data_branch(text, text, text) IS
    'Copies a table for a branch, which is made if it does not exist, and answers the branch''s id.';
