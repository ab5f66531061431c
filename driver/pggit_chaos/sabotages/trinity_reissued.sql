-- category: transaction
-- A Trinity ID is the number of commits: a rollback has it issued again.
CREATE OR REPLACE FUNCTION pggit.generate_trinity_id()
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_number text := (SELECT count(*) + 1 FROM pggit.commits);
BEGIN
    RETURN pggit._trinity_id(to_char(LOCALTIMESTAMP, 'YYYYMMDDHH24MISSUS') || '-'
                             || lpad(v_number, greatest(6, length(v_number)), '0'));
END;
$function$;
