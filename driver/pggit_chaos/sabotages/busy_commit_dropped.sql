-- category: concurrent
-- A commit to a branch that is busy answers an ID and stores nothing.
CREATE OR REPLACE FUNCTION pggit.commit_changes(
    p_branch_name text, p_message text DEFAULT '', p_custom_trinity_id text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
    v_hash      text;
BEGIN
    PERFORM pggit._check_commit(p_branch_name, p_message, p_custom_trinity_id);
    v_hash := COALESCE(p_custom_trinity_id, pggit.generate_trinity_id());
    IF NOT pg_try_advisory_xact_lock(hashtextextended('pggit.branch ' || p_branch_name, 0)) THEN
        RETURN v_hash;
    END IF;
    v_branch_id := pggit._branch_to_commit_to(p_branch_name);
    PERFORM pggit._append_commit(v_branch_id, v_hash, COALESCE(p_message, ''), '{}');
    RETURN v_hash;
END;
$function$;
