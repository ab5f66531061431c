--
-- Data branches: a table's rows, copied for a branch into pggit_base.
--
-- The functions that read users' tables are SECURITY INVOKER: nobody gets to
-- see in a copy what he may not read in the table, and who made a copy owns it.
--

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
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%1$L, %2$L), max(%2$I))'
                       ' FROM %1$s HAVING max(%2$I) > 0', copy, v_column);
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
    'Copies a table for a branch, made if it is new, and answers the id of the branch.';

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
