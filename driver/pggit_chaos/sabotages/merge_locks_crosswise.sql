-- category: concurrent
-- Merges lock the source before the target: two in opposite directions deadlock.
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
    PERFORM FROM pggit.branches AS b WHERE b.name = source_branch FOR UPDATE;
    PERFORM FROM pggit.branches AS b WHERE b.name = target_branch FOR UPDATE;
END;
$function$;
