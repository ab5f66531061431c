--
-- _sequence_state(sequence), _isolate_sequence(sequence),
-- _set_sequence_state(sequence, state)
--
-- A sequence state is (last_value,is_called) as text.  Neither the state nor
-- setval() is transactional, and so the sequence is rewritten first: to alter
-- its increment to what it is gives it a new file, which goes with a rollback,
-- and keeps other sessions out until the end of the transaction.
--
CREATE FUNCTION @extschema@._sequence_state(sequence regclass)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_state text;
BEGIN
    EXECUTE format('SELECT (s.last_value, s.is_called)::text FROM %s AS s', sequence)
       INTO v_state;
    RETURN v_state;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sequence_state(regclass) IS
    'Reads the last value of a sequence and whether it has been handed out, as text.';

CREATE FUNCTION @extschema@._isolate_sequence(sequence regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s', sequence,
                   (SELECT s.seqincrement
                      FROM pg_catalog.pg_sequence AS s
                     WHERE s.seqrelid = sequence));
END;
$function$;
COMMENT ON FUNCTION @extschema@._isolate_sequence(regclass) IS
    'Rewrites a sequence as it is, so that what setval() does to it is undone by rollback.';

CREATE FUNCTION @extschema@._set_sequence_state(sequence regclass, state text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_part text[] := regexp_match(state, '^\((-?\d+),([tf])\)$');
BEGIN
    PERFORM setval(sequence, v_part[1]::bigint, v_part[2]::boolean);
END;
$function$;
COMMENT ON FUNCTION @extschema@._set_sequence_state(regclass, text) IS
    'Puts a sequence into a state that _sequence_state() has read.';
