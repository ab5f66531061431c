--
-- _drop_guard()
--
-- Takes the hooks out before PostgreSQL looks at the dependencies of what is
-- being dropped.  So a plain DROP EXTENSION pggit_chaos puts pgGit back by
-- itself, without CASCADE, and no hooked body outlives hit().  The tag alone
-- does not say what is dropped; the statement, or the one that runs it, does.
-- Who may not take hooks out cannot drop the extension either, and is let by.
-- Writes: what uninstall_hooks() writes.
--
CREATE FUNCTION @extschema@._drop_guard()
RETURNS event_trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    IF (TG_TAG = 'DROP OWNED'
        OR concat_ws(' ', current_query(), v_stack) ~* '\mpggit_chaos\M(?![.])')
       AND has_function_privilege('@extschema@.uninstall_hooks()', 'EXECUTE') THEN
        PERFORM u.removed FROM @extschema@.uninstall_hooks() AS u;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drop_guard() IS
    'Takes the hooks out of pgGit before the extension is dropped.';

CREATE EVENT TRIGGER pggit_chaos_drop_guard ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION @extschema@._drop_guard();
ALTER EVENT TRIGGER pggit_chaos_drop_guard ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER pggit_chaos_drop_guard IS
    'Takes the hooks out of pgGit before pggit_chaos is dropped.';
