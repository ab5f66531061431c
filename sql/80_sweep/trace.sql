--
-- trace(statement)
--
-- Which failpoints a statement passes, in order, each with the call stack that
-- led there, innermost first.  The statement is run and taken back; so are the
-- sequences that it moved.  Writes: nothing that stays.  Locks: SHARE ROW EXCLUSIVE
-- on all sequences.
-- Calls: _arm, _isolate_sequences, _rehearse, _journal.
--
CREATE FUNCTION @extschema@._trace(statement text, path text)
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_session  jsonb;
    v_fault_id bigint;
    v_run      jsonb;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    PERFORM @extschema@._require_hooks();
    PERFORM @extschema@._isolate_sequences();
    v_session := @extschema@._session_state();
    PERFORM @extschema@._forget_journal();
    v_fault_id := @extschema@._arm('*', 'journal');
    v_run := @extschema@._rehearse(statement, path, NULL);
    PERFORM @extschema@.disarm(v_fault_id);
    PERFORM @extschema@._put_back_sequences(v_session);
    PERFORM @extschema@._release_locks(v_session);
    PERFORM @extschema@._require_success(v_run);
    RETURN QUERY SELECT j.hit, j.failpoint, j.stack FROM @extschema@._journal() AS j;
    PERFORM @extschema@._forget_journal();
-- What no rollback takes back goes here.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM @extschema@._release_locks(v_session),
            @extschema@._forget_journal();
    RAISE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._trace(text, text) IS
    'As trace(), with the search_path under which the statement is to run.';

CREATE FUNCTION @extschema@.trace(statement text)
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT t.hit, t.failpoint, t.stack
      FROM @extschema@._trace(statement, current_setting('search_path')) AS t;
END;
COMMENT ON FUNCTION @extschema@.trace(text) IS
    'Runs a statement, takes it back, and lists the failpoints that it passes, in order.';

CREATE FUNCTION @extschema@._require_success(run jsonb)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF run ->> 'sqlstate' IS NOT NULL THEN
        RAISE EXCEPTION 'the statement fails without any fault: %', run ->> 'message'
            USING ERRCODE = 'PC007',
                  DETAIL = format('Its SQLSTATE is %s.', run ->> 'sqlstate');
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_success(jsonb) IS
    'Raises PC007 where an undisturbed run ended in an error.';

--
-- _journal(), _forget_journal()
--
-- What the action journal has written into this session, and its removal.
--
CREATE FUNCTION @extschema@._journal()
RETURNS TABLE (hit bigint, failpoint text, stack text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text;
BEGIN
    FOR hit, v_name IN
        SELECT substring(s.name FROM '\d+$')::bigint, s.name
          FROM pg_catalog.pg_prepared_statements AS s
         WHERE s.name ~ '^@extschema@ hit \d+$'
         ORDER BY 1
    LOOP
        EXECUTE format('EXECUTE %I', v_name) INTO failpoint, stack;
        stack := @extschema@._own_stack(stack);
        RETURN NEXT;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._journal() IS
    'Reads the hits that the action journal has written down.';

CREATE FUNCTION @extschema@._forget_journal()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN
        SELECT s.name
          FROM pg_catalog.pg_prepared_statements AS s
         WHERE s.name ~ '^@extschema@ hit \d+$'
    LOOP
        EXECUTE format('DEALLOCATE %I', v_name);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._forget_journal() IS
    'Removes what the action journal has written down.';

--
-- _own_stack(stack), _places(stack)
--
-- A call stack without our own frames at both ends; and the places in it,
-- function and line, without the texts of the statements, which differ from call
-- to call.
--
CREATE FUNCTION @extschema@._own_stack(stack text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN split_part(
           substr(stack, regexp_instr(stack, 'function @extschema@\.(?:_hit_armed|_\w+_hook)'
                                             '\([^\n]*\n(?:SQL function "hit"[^\n]*\n)?',
                                      1, 1, 1)),
           E'\nPL/pgSQL function @extschema@._execute(', 1);
COMMENT ON FUNCTION @extschema@._own_stack(text) IS
    'Removes our own frames from both ends of a call stack.';

CREATE FUNCTION @extschema@._places(stack text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT string_agg(m.match[1] || ':' || m.match[2], ' ' ORDER BY m.position)
              FROM regexp_matches(stack, '^PL/pgSQL function (.*) line (\d+) at ', 'gn')
                   WITH ORDINALITY AS m(match, position));
END;
$function$;
COMMENT ON FUNCTION @extschema@._places(text) IS
    'Reduces a call stack to its functions and lines.';
