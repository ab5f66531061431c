--
-- journal: writes the hit and the call stack down where no rollback reaches.
-- A prepared statement is the one thing in a session that holds text and
-- outlives an aborted subtransaction.  trace() reads it back.
--
CREATE FUNCTION @extschema@._action_journal_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('journal', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_journal_parse(text, text) IS
    'Reads the arguments of the action journal: there are none.';

CREATE FUNCTION @extschema@._action_journal(fault @extschema@._fault, failpoint text, hit bigint,
                                            arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lc_messages = 'C'
AS $function$
DECLARE
    v_stack text;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    EXECUTE format('PREPARE %I AS SELECT %L::text, %L::text',
                   '@extschema@ hit ' || hit, failpoint, v_stack);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_journal(@extschema@._fault, text, bigint, jsonb) IS
    'Writes a hit and its call stack into the journal of this session.';
