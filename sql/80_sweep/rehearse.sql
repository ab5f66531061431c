--
-- _rehearse(statement, path, watched)
--
-- Runs a statement and its COMMIT in a subtransaction, looks at what it did, and
-- takes it back.  Answers, as one JSON object: sqlstate, message and ours (the
-- error that the caller sees, and whether its diagnostics say that it is an
-- injected one; sqlstate is null on success), touched (names of the tables it
-- wrote to) and picture (of those and of what is watched).  With nothing to watch,
-- NULL, it does not look: looking costs more than most statements do.  Writes:
-- nothing that stays, but for the sequences; see _put_back_sequences.
--
CREATE FUNCTION @extschema@._rehearse(statement text, path text, watched text[])
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = error
AS $function$
DECLARE
    v_activity jsonb := CASE WHEN watched IS NOT NULL THEN @extschema@._activity() END;
    v_touched  text[];
    v_answer   text;
    v_picture  jsonb;
    v_sqlstate text;
    v_message  text;
    v_schema   text;
BEGIN
    BEGIN
        v_answer := @extschema@._execute(statement, path);
        IF watched IS NOT NULL THEN
            v_touched := @extschema@._touched(v_activity);
            v_picture := @extschema@._picture(watched || v_touched)
                         || jsonb_build_object('answer', @extschema@._aspects(v_answer));
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'PC998', MESSAGE = 'the way back';
    -- The statement is foreign, and each way in which it ends is a result.
    EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
        GET STACKED DIAGNOSTICS v_sqlstate = RETURNED_SQLSTATE,
                                v_message = MESSAGE_TEXT,
                                v_schema = SCHEMA_NAME;
        -- Whoever cancels the sweep means the sweep.
        IF v_sqlstate = '57014' AND v_schema <> '@extschema@' THEN
            RAISE;
        END IF;
    END;
    RETURN jsonb_build_object('sqlstate', NULLIF(v_sqlstate, 'PC998'),
                              'message', v_message,
                              'ours', v_schema = '@extschema@',
                              'touched', to_jsonb(v_touched),
                              'picture', v_picture);
END;
$function$;
COMMENT ON FUNCTION @extschema@._rehearse(text, text, text[]) IS
    'Runs a statement, looks at what it did, and takes it back.';

--
-- _execute(statement, path)
--
-- Runs a statement under the caller's own search_path, and then what would
-- happen at COMMIT.  Answers the rows it returned, one a line.  A statement that
-- returns none is refused as a cursor (42P11) before anything is done.
--
CREATE FUNCTION @extschema@._execute(statement text, path text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_row    record;
    v_answer text := '';
BEGIN
    PERFORM set_config('search_path', path, true);
    BEGIN
        FOR v_row IN EXECUTE statement LOOP
            v_answer := pg_catalog.concat(v_answer, v_row, E'\n');
        END LOOP;
    EXCEPTION WHEN invalid_cursor_definition THEN
        EXECUTE statement;
    END;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN v_answer;
END;
$function$;
COMMENT ON FUNCTION @extschema@._execute(text, text) IS
    'Runs a statement and its deferred constraints, and answers the rows it returned.';
