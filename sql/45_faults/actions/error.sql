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
    v_match    text[] := regexp_match(COALESCE(arguments, 'PC100'),
                                      '^\s*([0-9A-Za-z_]+)\s*(?:,\s*(.*?)\s*)?$');
    v_sqlstate text := @extschema@._sqlstate_of(v_match[1]);
BEGIN
    IF v_sqlstate IS NULL THEN
        PERFORM @extschema@._bad_arguments(
            'error', arguments,
            'an SQLSTATE or the name of an error condition, and perhaps a message');
    END IF;
    RETURN jsonb_build_object('sqlstate', v_sqlstate, 'message', v_match[2]);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_error_parse(text, text) IS
    'Reads the arguments of the action error: SQLSTATE or condition name, and a message.';

--
-- _sqlstate_of(name)
--
-- The SQLSTATE that an SQLSTATE or condition name stands for, NULL for anything
-- else and for the classes that are no errors.  PostgreSQL lists its condition
-- names nowhere in the catalogue: raise one and see what arrives.
--
CREATE FUNCTION @extschema@._sqlstate_of(name text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sqlstate text;
    v_column   text;
BEGIN
    RAISE EXCEPTION USING ERRCODE = name, COLUMN = 'condition';
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    GET STACKED DIAGNOSTICS v_sqlstate = RETURNED_SQLSTATE, v_column = COLUMN_NAME;
    -- RAISE turns 00000 into something else.
    IF v_column = 'condition' AND v_sqlstate !~ '^0[0-2]'
       AND (name !~ '^[0-9A-Z]{5}$' OR name = v_sqlstate) THEN
        RETURN v_sqlstate;
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sqlstate_of(text) IS
    'Resolves an SQLSTATE or condition name to an SQLSTATE; NULL where it is none.';

CREATE FUNCTION @extschema@._action_error(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
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
COMMENT ON FUNCTION @extschema@._action_error(@extschema@._fault, text, bigint, jsonb) IS
    'Raises an error with the given SQLSTATE, marked in its diagnostics.';
