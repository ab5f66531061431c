--
-- terminate: the session ends, 57P01.
--
CREATE FUNCTION @extschema@._action_terminate_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('terminate', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_terminate_parse(text, text) IS
    'Reads the arguments of the action terminate: there are none.';

CREATE FUNCTION @extschema@._action_terminate(fault @extschema@._fault, failpoint text, hit bigint,
                                              arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    -- The signal is heeded at the next interrupt check, at the latest in here.
    PERFORM pg_sleep(10);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_terminate(@extschema@._fault, text, bigint, jsonb) IS
    'Ends the session that passes the failpoint.';
