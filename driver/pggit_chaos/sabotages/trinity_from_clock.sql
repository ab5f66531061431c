-- category: property
-- Trinity IDs are made of the clock alone: two of one millisecond are the same.
CREATE OR REPLACE FUNCTION pggit.generate_trinity_id()
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_number text := to_char(clock_timestamp(), 'MS');
BEGIN
    RETURN pggit._trinity_id(to_char(LOCALTIMESTAMP, 'YYYYMMDDHH24MISSUS') || '-'
                             || lpad(v_number, greatest(6, length(v_number)), '0'));
END;
$function$;
