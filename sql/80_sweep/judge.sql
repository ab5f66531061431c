--
-- _judge(run, fired, sqlstate, before, after, tolerance, leaks)
--
-- The outcome of one disturbed run.  before and after are the pictures around an
-- undisturbed run.  On an error PostgreSQL has taken back all that is
-- transactional, and so only a leak can remain; on success the state and the
-- answer tell.  Writes: nothing.
--
CREATE FUNCTION @extschema@._judge(run jsonb, fired boolean, sqlstate text, before jsonb,
                                   after jsonb, tolerance jsonb, leaks text[],
                                   OUT outcome text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_undone text[];
    v_done   text[];
BEGIN
    IF NOT fired THEN
        outcome := 'unreached';
    ELSIF run ->> 'sqlstate' IS NOT NULL THEN
        IF cardinality(leaks) > 0 THEN
            outcome := 'leaked';
            detail := array_to_string(leaks, ', ');
        ELSIF run ->> 'sqlstate' = sqlstate THEN
            outcome := 'surfaced';
        ELSE
            outcome := 'masked';
            detail := run ->> 'message';
        END IF;
    ELSE
        v_undone := @extschema@._differences(run -> 'picture', after, tolerance);
        v_done := @extschema@._differences((run -> 'picture') - 'answer', before, tolerance);
        IF cardinality(v_undone) = 0 THEN
            outcome := 'tolerated';
        ELSIF cardinality(v_done) = 0 THEN
            outcome := 'lost';
            detail := 'not as in an undisturbed run: ' || array_to_string(v_undone, ', ');
        ELSE
            outcome := 'torn';
            detail := 'not as in an undisturbed run: ' || array_to_string(v_undone, ', ');
        END IF;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._judge(jsonb, boolean, text, jsonb, jsonb, jsonb, text[]) IS
    'Judges the outcome of one run with a fault in it.';
