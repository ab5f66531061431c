-- category: property
-- A commit is of the time that is written in the caller's own Trinity ID.
CREATE OR REPLACE FUNCTION pggit._trinity_issued_at(trinity_id text)
RETURNS timestamp
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF trinity_id !~ '^\d{20}-\d{6,}-[0-9a-f]{8}$' THEN
        RETURN NULL;
    END IF;
    RETURN regexp_replace(left(trinity_id, 20), '^(....)(..)(..)(..)(..)(..)(......)$',
                          '\1-\2-\3 \4:\5:\6.\7');
END;
$function$;
