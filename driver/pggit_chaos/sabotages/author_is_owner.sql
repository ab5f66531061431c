-- category: property
-- Whoever commits, the author is the owner of pgGit.
CREATE OR REPLACE FUNCTION pggit._caller()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT current_user::text;
$function$;
