--
-- cancel: a real cancellation of the statement, 57014.
--
CREATE FUNCTION @extschema@._action_cancel_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('cancel', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_cancel_parse(text, text) IS
    'Reads the arguments of the action cancel: there are none.';

CREATE FUNCTION @extschema@._action_cancel(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_cancel_backend(pg_backend_pid());
    -- The signal is heeded at the next interrupt check, at the latest in here.
    PERFORM pg_sleep(10);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_cancel(@extschema@._fault, text, bigint, jsonb) IS
    'Cancels the statement that this session runs.';
