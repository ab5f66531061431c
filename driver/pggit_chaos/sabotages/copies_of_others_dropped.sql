-- category: transaction
-- Whoever deletes a branch drops the data that others copied for it.
CREATE OR REPLACE FUNCTION pggit._drop_data_of_branch(branch_id integer)
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
        EXECUTE format('DROP TABLE %I.%I', v_copy.table_schema, v_copy.table_name);
        PERFORM pggit._strike_copy(v_copy.table_schema, v_copy.table_name);
    END LOOP;
END;
$function$;
