--
-- skip: the write does not happen, and nobody is told.
--
CREATE FUNCTION @extschema@._action_skip_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_before_row('skip', failpoint);
    RETURN @extschema@._no_arguments('skip', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_skip_parse(text, text) IS
    'Reads the arguments of the action skip: there are none.';

CREATE FUNCTION @extschema@._action_skip(fault @extschema@._fault, failpoint text, hit bigint,
                                         arguments jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT '{"skip": true}'::jsonb;
$function$;
COMMENT ON FUNCTION @extschema@._action_skip(@extschema@._fault, text, bigint, jsonb) IS
    'Tells the before-row trigger to drop the row.';
