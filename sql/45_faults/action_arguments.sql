--
-- _no_arguments(action, arguments), _bad_arguments(action, arguments, expected),
-- _require_before_row(action, failpoint)
--
-- What the parsers of the actions share.  Write nothing.
--
CREATE FUNCTION @extschema@._no_arguments(action text, arguments text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF arguments IS NOT NULL AND arguments !~ '^\s*$' THEN
        PERFORM @extschema@._bad_arguments(action, arguments, 'no arguments');
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._no_arguments(text, text) IS
    'Raises 22023 where an action that takes no arguments got some.';

CREATE FUNCTION @extschema@._bad_arguments(action text, arguments text, expected text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'invalid arguments "%" for action "%"', COALESCE(arguments, ''), action
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = format('It takes %s.', expected);
END;
$function$;
COMMENT ON FUNCTION @extschema@._bad_arguments(text, text, text) IS
    'Raises 22023 for the arguments of an action.';

CREATE FUNCTION @extschema@._require_before_row(action text, failpoint text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF failpoint !~ '\.(insert|update|delete|\*)\.before$' THEN
        RAISE EXCEPTION 'action "%" cannot strike at failpoint "%"', action, failpoint
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Only a before-row failpoint can change what is written.',
                  HINT = 'Take a failpoint that ends in .insert.before, .update.before '
                         'or .delete.before.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_before_row(text, text) IS
    'Raises 22023 where a failpoint is not one of before-row triggers.';
