--
-- error(SQLSTATE or condition name[, message]): raises it.  The diagnostics say
-- that it is ours (SCHEMA pggit_chaos, CONSTRAINT the failpoint); the text does
-- not have to.
--
CREATE FUNCTION @extschema@._action_error_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_match text[] := regexp_match(COALESCE(arguments, 'PC100'),
                                   '^\s*([0-9A-Za-z_]+)\s*(?:,\s*(.*?)\s*)?$');
BEGIN
    IF v_match IS NULL OR v_match[1] ~ '^0[0-2]...$'
       OR NOT @extschema@._is_condition(v_match[1]) THEN
        PERFORM @extschema@._bad_arguments(
            'error', arguments,
            'an SQLSTATE or the name of an error condition, and perhaps a message');
    END IF;
    RETURN jsonb_build_object('sqlstate', v_match[1], 'message', v_match[2]);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_error_parse(text, text) IS
    'Reads the arguments of the action error: SQLSTATE or condition name, and a message.';

--
-- _is_condition(name)
--
-- PostgreSQL lists its condition names nowhere in the catalogue: raise one and
-- see what arrives.
--
CREATE FUNCTION @extschema@._is_condition(name text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_column text;
BEGIN
    RAISE EXCEPTION USING ERRCODE = name, COLUMN = 'condition';
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    GET STACKED DIAGNOSTICS v_column = COLUMN_NAME;
    RETURN v_column = 'condition';
END;
$function$;
COMMENT ON FUNCTION @extschema@._is_condition(text) IS
    'Answers whether RAISE takes a text as an SQLSTATE or condition name.';

CREATE FUNCTION @extschema@._action_error(failpoint text, hit bigint, arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = arguments ->> 'sqlstate',
        MESSAGE = COALESCE(arguments ->> 'message',
                           format('fault at failpoint "%s"', failpoint)),
        SCHEMA = '@extschema@',
        CONSTRAINT = failpoint;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_error(text, bigint, jsonb) IS
    'Raises an error with the given SQLSTATE, marked in its diagnostics.';
