--
-- notice(text): tells the client.
--
CREATE FUNCTION @extschema@._action_notice_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_jsonb(COALESCE(arguments, format('failpoint "%s"', failpoint)));
$function$;
COMMENT ON FUNCTION @extschema@._action_notice_parse(text, text) IS
    'Reads the arguments of the action notice: the text; by default the failpoint.';

CREATE FUNCTION @extschema@._action_notice(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE NOTICE '%', arguments #>> '{}'
        USING SCHEMA = '@extschema@', CONSTRAINT = failpoint;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_notice(@extschema@._fault, text, bigint, jsonb) IS
    'Sends a NOTICE, marked in its diagnostics.';
