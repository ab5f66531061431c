-- category: concurrent
-- A commit fails where another session has the branch, instead of waiting its turn.
CREATE OR REPLACE FUNCTION pggit._branch_to_commit_to(branch_name text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pggit.branches AS b WHERE b.name = branch_name) THEN
        PERFORM pggit._add_branch(branch_name, 'main');
    END IF;
    SELECT b.id INTO STRICT v_branch_id
      FROM pggit.branches AS b
     WHERE b.name = branch_name
       FOR NO KEY UPDATE NOWAIT;
    RETURN v_branch_id;
END;
$function$;
