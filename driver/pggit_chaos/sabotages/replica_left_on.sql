-- category: transaction
-- Deleting a branch that has copies leaves the session without triggers.
CREATE OR REPLACE FUNCTION pggit._drop_data_of_branch(branch_id integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_copy record;
BEGIN
    PERFORM set_config('session_replication_role', 'replica', false);
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
