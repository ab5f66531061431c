-- category: transaction
-- A commit whose last step fails once is stored twice.
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
    v_branch_id := pggit._branch_to_commit_to(p_branch_name);
    FOR v_attempt IN 1 .. 3 LOOP
        v_hash := COALESCE(p_custom_trinity_id, pggit.generate_trinity_id());
        PERFORM pggit._append_commit(v_branch_id, v_hash, COALESCE(p_message, ''), '{}');
        BEGIN
            UPDATE pggit.branches AS b SET status = 'ACTIVE' WHERE b.id = v_branch_id;
            EXIT;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected THEN
                CONTINUE;
        END;
    END LOOP;
    RETURN v_hash;
END;
$function$;
