--
-- sweep(statement, sqlstates, every_hit)
--
-- Runs a statement once for each failpoint hit and SQLSTATE with a fault at that
-- hit, and judges each outcome; worst last: surfaced, tolerated, masked, leaked,
-- lost, torn; unreached where the fault never fired.  Hits with one call stack
-- are visited once, and the detail says for how many that one stands, unless
-- every_hit is asked for.  Every run is a subtransaction that is taken back, and
-- so are the sequences.  Writes: nothing that stays.  Locks: SHARE ROW EXCLUSIVE on
-- all sequences.
-- Calls: _isolate_sequences, _trace, _rehearse, _judge.
--
CREATE FUNCTION @extschema@._sweep(statement text, sqlstates text[], every_hit boolean, path text)
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
DECLARE
    v_sqlstates text[];
    v_session   jsonb;
    v_sequences jsonb;
    v_plain     jsonb;
    v_point     record;
    v_verdict   record;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    v_sqlstates := @extschema@._resolve_sqlstates(sqlstates);
    PERFORM @extschema@._require_hooks();
    v_session := @extschema@._session_state('{}');
    PERFORM @extschema@._isolate_sequences();
    v_sequences := @extschema@._sequences();
    v_plain := @extschema@._undisturbed(statement, path, v_sequences);
    FOR v_point IN
        SELECT p.hit, p.failpoint, s.sqlstate, p.stands_for
          FROM @extschema@._points(statement, every_hit, path) AS p
         CROSS JOIN unnest(v_sqlstates) WITH ORDINALITY AS s(sqlstate, i)
         ORDER BY p.hit, s.i
    LOOP
        SELECT v.outcome, v.seen_sqlstate, v.detail INTO v_verdict
          FROM @extschema@._disturbed(statement, path, v_point.hit, v_point.sqlstate,
                                      v_plain, v_sequences) AS v;
        hit := v_point.hit;
        failpoint := v_point.failpoint;
        sqlstate := v_point.sqlstate;
        outcome := v_verdict.outcome;
        seen_sqlstate := v_verdict.seen_sqlstate;
        detail := NULLIF(concat_ws('; ', v_verdict.detail,
                                   CASE WHEN v_point.stands_for > 1
                                        THEN format('stands for %s hits with this stack',
                                                    v_point.stands_for) END), '');
        RETURN NEXT;
    END LOOP;
    PERFORM @extschema@._set_sequences(v_sequences);
    -- The runs were given one seed; the session goes on with another.
    PERFORM setseed((extract(epoch FROM clock_timestamp()) % 1)::float8);
-- What no rollback takes back goes here.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM @extschema@._release_locks(v_session);
    RAISE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sweep(text, text[], boolean, text) IS
    'As sweep(), with the search_path under which the statement is to run.';

CREATE FUNCTION @extschema@.sweep(statement text, sqlstates text[] DEFAULT '{40001,57014}',
                                  every_hit boolean DEFAULT false)
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT s.hit, s.failpoint, s.sqlstate, s.outcome, s.seen_sqlstate, s.detail
      FROM @extschema@._sweep(statement, sqlstates, every_hit, current_setting('search_path')) AS s;
END;
COMMENT ON FUNCTION @extschema@.sweep(text, text[], boolean) IS
    'Runs a statement once for each failpoint that it passes, with a fault there, and judges each outcome.';

CREATE FUNCTION @extschema@._resolve_sqlstates(sqlstates text[])
RETURNS text[]
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF COALESCE(cardinality(sqlstates), 0) = 0 OR array_position(sqlstates, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'argument "sqlstates" must hold at least one SQLSTATE and no null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    RETURN ARRAY(SELECT @extschema@._action_error_parse(s.name, '*') ->> 'sqlstate'
                   FROM unnest(sqlstates) WITH ORDINALITY AS s(name, i)
                  ORDER BY s.i);
END;
$function$;
COMMENT ON FUNCTION @extschema@._resolve_sqlstates(text[]) IS
    'Turns condition names into SQLSTATEs, and raises where a list holds something else.';

--
-- _points(statement, every_hit, path)
--
-- The hits to visit: of those with one failpoint and one call stack the first.
--
CREATE FUNCTION @extschema@._points(statement text, every_hit boolean, path text)
RETURNS TABLE (hit bigint, failpoint text, stands_for bigint)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT min(t.hit), t.failpoint, count(*)
      FROM @extschema@._trace(statement, path) AS t
     GROUP BY t.failpoint, CASE WHEN every_hit THEN t.hit::text
                                ELSE @extschema@._places(t.stack) END;
$function$;
COMMENT ON FUNCTION @extschema@._points(text, boolean, text) IS
    'Lists the hits that a sweep visits, each with the number of hits that it stands for.';

--
-- _undisturbed(statement, path, sequences)
--
-- What the statement does when nothing goes wrong: the pictures before and
-- after, which tables are watched, and how well two runs agree.
--
CREATE FUNCTION @extschema@._undisturbed(statement text, path text, sequences jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_session jsonb := @extschema@._session_state(@extschema@._pggit_settings());
    v_first   jsonb := @extschema@._rerun(statement, path, '{}', sequences);
    v_second  jsonb;
    v_watched text[];
BEGIN
    PERFORM @extschema@._require_success(v_first);
    v_watched := ARRAY(SELECT jsonb_array_elements_text(v_first -> 'touched'));
    v_second := @extschema@._rerun(statement, path, v_watched, sequences);
    PERFORM @extschema@._require_success(v_second);
    PERFORM @extschema@._release_locks(v_session);
    RETURN jsonb_build_object(
        'watched', to_jsonb(v_watched),
        'before', @extschema@._picture(v_watched),
        'after', v_second -> 'picture',
        'tolerance', @extschema@._reproducible(v_first -> 'picture', v_second -> 'picture'),
        'session', v_session);
END;
$function$;
COMMENT ON FUNCTION @extschema@._undisturbed(text, text, jsonb) IS
    'Learns what a statement does when nothing goes wrong.';

CREATE FUNCTION @extschema@._rerun(statement text, path text, watched text[],
                                   sequences jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._set_sequences(sequences);
    PERFORM setseed(0);
    RETURN @extschema@._rehearse(statement, path, watched);
END;
$function$;
COMMENT ON FUNCTION @extschema@._rerun(text, text, text[], jsonb) IS
    'Rehearses a statement from the same sequences and the same random seed each time.';

--
-- _disturbed(statement, path, hit, sqlstate, plain, sequences)
--
-- One run with a fault at one hit, judged.
--
CREATE FUNCTION @extschema@._disturbed(statement text, path text, hit bigint, sqlstate text,
                                       plain jsonb, sequences jsonb,
                                       OUT outcome text, OUT seen_sqlstate text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_term     text := format('error(%s)', sqlstate);
    v_watched  text[] := ARRAY(SELECT jsonb_array_elements_text(plain -> 'watched'));
    v_fault_id bigint;
    v_fired    boolean;
    v_run      jsonb;
    v_news     jsonb;
BEGIN
    v_fault_id := @extschema@._arm('*', v_term, start_hit => hit, end_hit => hit);
    v_run := @extschema@._rerun(statement, path, v_watched, sequences);
    SELECT f.fired > 0 INTO v_fired
      FROM @extschema@._faults() AS f
     WHERE f.fault_id = v_fault_id;
    PERFORM @extschema@.disarm(v_fault_id);
    -- The fault may have sent pgGit to tables that nobody watched before: they
    -- are now what they were, and an undisturbed run leaves them so.
    v_news := @extschema@._picture(ARRAY(
        SELECT jsonb_array_elements_text(COALESCE(NULLIF(v_run -> 'touched', 'null'), '[]'))
        EXCEPT SELECT unnest(v_watched)));
    seen_sqlstate := v_run ->> 'sqlstate';
    SELECT j.outcome, j.detail INTO outcome, detail
      FROM @extschema@._judge(v_run, v_fired, sqlstate,
                              (plain -> 'before') || v_news, (plain -> 'after') || v_news,
                              plain -> 'tolerance',
                              @extschema@._leaks(plain -> 'session')) AS j;
    PERFORM @extschema@._release_locks(plain -> 'session');
END;
$function$;
COMMENT ON FUNCTION @extschema@._disturbed(text, text, bigint, text, jsonb, jsonb) IS
    'Rehearses a statement with a fault at one hit and judges the outcome.';
