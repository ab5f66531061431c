-- category: property
-- A data branch has of equal rows only one.
CREATE OR REPLACE FUNCTION pggit._copy_data(source regclass, source_branch text, branch_name text)
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
    EXECUTE format('INSERT INTO %s %s OVERRIDING SYSTEM VALUE SELECT DISTINCT %s FROM %s', v_copy,
                   '(' || v_columns || ')', v_columns, v_from);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    PERFORM pggit._advance_identity(v_copy::regclass);
    PERFORM pggit._enter_copy(source, v_copy::regclass, v_from, branch_name, v_rows);
END;
$function$;
