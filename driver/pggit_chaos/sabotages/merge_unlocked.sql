-- category: concurrent
-- A merge locks no branch: what is committed meanwhile is left out of the history.
CREATE OR REPLACE FUNCTION pggit._lock_for_merge(source_branch text, target_branch text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF source_branch = target_branch THEN
        RAISE EXCEPTION 'cannot merge branch "%" into itself', source_branch
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END;
$function$;
