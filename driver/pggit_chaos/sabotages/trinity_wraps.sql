-- category: resource
-- The number of a Trinity ID has three digits: the thousandth of a transaction repeats the first.
CREATE OR REPLACE FUNCTION pggit.generate_trinity_id()
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_number text := nextval('pggit.trinity_id_seq') % 1000;
BEGIN
    RETURN pggit._trinity_id(to_char(LOCALTIMESTAMP, 'YYYYMMDDHH24MISSUS') || '-'
                             || lpad(v_number, greatest(6, length(v_number)), '0'));
END;
$function$;
