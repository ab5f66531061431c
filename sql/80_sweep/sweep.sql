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
    v_fault_id  bigint;
    v_point     record;
    v_verdict   record;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    v_sqlstates := @extschema@._resolve_sqlstates(sqlstates);
    PERFORM @extschema@._require_hooks();
    -- Before the first look at a sequence: looking takes a lock that two sweeps share.
    PERFORM @extschema@._isolate_sequences();
    v_session := @extschema@._session_state('{}');
    v_sequences := @extschema@._sequences();
    v_plain := @extschema@._undisturbed(statement, path, v_sequences);
    -- One fault is aimed anew for each point: arming costs more than the run.
    v_fault_id := @extschema@._arm('*', 'off');
    FOR v_point IN
        SELECT p.hit, p.failpoint, p.nth, s.sqlstate, p.stands_for
          FROM @extschema@._points(statement, every_hit, path) AS p
         CROSS JOIN unnest(v_sqlstates) WITH ORDINALITY AS s(sqlstate, i)
         ORDER BY p.hit, s.i
    LOOP
        SELECT v.outcome, v.seen_sqlstate, v.detail INTO v_verdict
          FROM @extschema@._disturbed(statement, path, v_fault_id, v_point.failpoint,
                                      v_point.nth, v_point.sqlstate, v_plain, v_sequences) AS v;
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
    PERFORM @extschema@.disarm(v_fault_id);
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
-- The hits to visit: of those with one failpoint and one call stack the first.  nth
-- counts the hits of its failpoint alone.
--
CREATE FUNCTION @extschema@._points(statement text, every_hit boolean, path text)
RETURNS TABLE (hit bigint, failpoint text, nth bigint, stands_for bigint)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT min(t.hit), t.failpoint, min(t.nth), count(*)
      FROM (SELECT r.hit, r.failpoint, r.stack,
                   row_number() OVER (PARTITION BY r.failpoint ORDER BY r.hit) AS nth
              FROM @extschema@._trace(statement, path) AS r) AS t
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
-- _disturbed(statement, path, fault_id, failpoint, nth, sqlstate, plain, sequences)
--
-- One run with the fault at one hit, judged.
--
CREATE FUNCTION @extschema@._disturbed(statement text, path text, fault_id bigint, failpoint text,
                                       nth bigint, sqlstate text, plain jsonb, sequences jsonb,
                                       OUT outcome text, OUT seen_sqlstate text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_watched text[] := ARRAY(SELECT jsonb_array_elements_text(plain -> 'watched'));
    v_slot    integer := @extschema@._aim(fault_id, failpoint, nth, sqlstate);
    v_fired   boolean;
    v_run     jsonb;
    v_news    jsonb;
BEGIN
    v_run := @extschema@._rerun(statement, path, v_watched, sequences);
    v_fired := pg_sequence_last_value(@extschema@._counter(v_slot, 'fired')) > 0;
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
COMMENT ON FUNCTION @extschema@._disturbed(text, text, bigint, text, bigint, text, jsonb, jsonb) IS
    'Rehearses a statement with the fault at one hit and judges the outcome.';

--
-- _aim(fault_id, failpoint, nth, sqlstate)
--
-- Points a fault of this session at one hit of one failpoint, and answers its slot.
-- Writes: _fault, the sequences of the slot, the setting pggit_chaos.armed.
--
CREATE FUNCTION @extschema@._aim(fault_id bigint, failpoint text, nth bigint, sqlstate text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_term text := format('error(%s)', sqlstate);
    v_slot integer;
BEGIN
    UPDATE @extschema@._fault AS f
       SET failpoint = _aim.failpoint,
           pattern = @extschema@._failpoint_pattern(_aim.failpoint),
           term = v_term,
           program = @extschema@._parse_term(v_term, _aim.failpoint),
           start_hit = nth,
           end_hit = nth,
           expires_at = clock_timestamp() + (f.expires_at - f.armed_at),
           armed_at = clock_timestamp()
     WHERE f.fault_id = _aim.fault_id
 RETURNING f.slot INTO STRICT v_slot;
    PERFORM setval(@extschema@._counter(v_slot, 'hits'), 0, true),
            setval(@extschema@._counter(v_slot, 'fired'), 0, true);
    PERFORM @extschema@._show_own_faults();
    RETURN v_slot;
END;
$function$;
COMMENT ON FUNCTION @extschema@._aim(bigint, text, bigint, text) IS
    'Points a fault of this session at one hit of one failpoint, and answers its slot.';
