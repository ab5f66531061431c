-- category: property
-- A commit goes to another branch if its name differs in case only.
CREATE OR REPLACE FUNCTION pggit._branch_to_commit_to(branch_name text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pggit.branches AS b WHERE lower(b.name) = lower(branch_name)) THEN
        PERFORM pggit._add_branch(branch_name, 'main');
    END IF;
    SELECT b.id INTO STRICT v_branch_id
      FROM pggit.branches AS b
     WHERE lower(b.name) = lower(branch_name)
     ORDER BY b.id
     LIMIT 1
       FOR NO KEY UPDATE;
    RETURN v_branch_id;
END;
$function$;
