--
-- off: does nothing, and so ends or spaces a chain.
--
CREATE FUNCTION @extschema@._action_off_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('off', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_off_parse(text, text) IS
    'Reads the arguments of the action off: there are none.';
