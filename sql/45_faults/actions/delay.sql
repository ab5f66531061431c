--
-- delay(ms): sleeps.
--
CREATE FUNCTION @extschema@._action_delay_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF arguments IS NULL OR arguments !~ '^\s*\d{1,7}(\.\d+)?\s*$' THEN
        PERFORM @extschema@._bad_arguments('delay', arguments, 'a number of milliseconds');
    END IF;
    RETURN to_jsonb(arguments::numeric);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_delay_parse(text, text) IS
    'Reads the arguments of the action delay: milliseconds.';

CREATE FUNCTION @extschema@._action_delay(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_sleep(arguments::float8 / 1000);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_delay(@extschema@._fault, text, bigint, jsonb) IS
    'Sleeps for the given milliseconds.';
