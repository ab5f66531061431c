-- category: transaction
-- A branch can be merged into itself.
CREATE OR REPLACE FUNCTION pggit._lock_for_merge(source_branch text, target_branch text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM FROM pggit.branches AS b
      WHERE b.name IN (source_branch, target_branch)
      ORDER BY b.id
        FOR UPDATE;
END;
$function$;
