--
-- sweep(statement, sqlstates, every_hit, failpoints)
--
-- Runs a statement once for each failpoint hit and SQLSTATE with a fault at that
-- hit, and judges each outcome; worst last: surfaced, tolerated, masked, leaked,
-- lost, torn; unreached where the fault never fired.  Hits with one call stack
-- are visited once, and the detail says for how many that one stands, unless
-- every_hit is asked for.  failpoints, in which * matches any run of characters,
-- leaves out the others.  Every run is a subtransaction that is taken back, and
-- so are the sequences.  Writes: nothing that stays.  Locks: SHARE ROW EXCLUSIVE on
-- all sequences.
-- Calls: _isolate_sequences, _undisturbed, _points, _disturbed.
--
CREATE FUNCTION @extschema@._sweep(statement text, sqlstates text[], every_hit boolean,
                                   failpoints text, path text)
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
DECLARE
    v_sqlstates  text[];
    v_failpoints text;
    v_session    jsonb;
    v_plain      jsonb;
    v_point      record;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(statement, 'statement');
    PERFORM @extschema@._require_value(failpoints, 'failpoints');
    v_sqlstates := @extschema@._resolve_sqlstates(sqlstates);
    PERFORM @extschema@._require_hooks();
    v_failpoints := @extschema@._failpoint_pattern(@extschema@._resolve_failpoint(failpoints));
    -- Before the first look at a sequence: looking takes a lock that two sweeps share.
    PERFORM @extschema@._isolate_sequences();
    v_session := @extschema@._session_state();
    v_plain := @extschema@._undisturbed(statement, path, v_session);
    FOR v_point IN
        SELECT p.hit, p.failpoint, p.nth, e.term, e.program, p.stands_for,
               e.program -> 0 -> 'arguments' ->> 'sqlstate' AS sqlstate
          FROM @extschema@._points(every_hit) AS p
         CROSS JOIN @extschema@._error_terms(v_sqlstates) AS e
         WHERE p.failpoint LIKE v_failpoints
         ORDER BY p.hit, e.i
    LOOP
        hit := v_point.hit;
        failpoint := v_point.failpoint;
        sqlstate := v_point.sqlstate;
        PERFORM @extschema@._aim((v_plain -> 'fault_id')::bigint, failpoint, v_point.nth,
                                 v_point.term, v_point.program);
        SELECT d.outcome, d.seen_sqlstate,
               NULLIF(concat_ws('; ', d.detail,
                                CASE WHEN v_point.stands_for > 1
                                     THEN format('stands for %s hits with this stack',
                                                 v_point.stands_for) END), '')
          INTO outcome, seen_sqlstate, detail
          FROM @extschema@._disturbed(statement, path, sqlstate, v_plain, v_session) AS d;
        RETURN NEXT;
    END LOOP;
    PERFORM @extschema@.disarm((v_plain -> 'fault_id')::bigint);
    PERFORM @extschema@._forget_journal();
    PERFORM @extschema@._put_back_sequences(v_session);
    -- The runs were given one seed; the session goes on with another.
    PERFORM setseed((extract(epoch FROM clock_timestamp()) % 1)::float8);
-- What no rollback takes back goes here.
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM @extschema@._release_locks(v_session),
            @extschema@._forget_journal();
    RAISE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sweep(text, text[], boolean, text, text) IS
    'As sweep(), with the search_path under which the statement is to run.';

CREATE FUNCTION @extschema@.sweep(statement text, sqlstates text[] DEFAULT '{40001,57014}',
                                  every_hit boolean DEFAULT false,
                                  failpoints text DEFAULT '*')
RETURNS TABLE (hit bigint, failpoint text, sqlstate text, outcome text, seen_sqlstate text,
               detail text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT s.hit, s.failpoint, s.sqlstate, s.outcome, s.seen_sqlstate, s.detail
      FROM @extschema@._sweep(statement, sqlstates, every_hit, failpoints,
                              current_setting('search_path')) AS s;
END;
COMMENT ON FUNCTION @extschema@.sweep(text, text[], boolean, text) IS
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
-- _error_terms(sqlstates)
--
-- The terms that raise them, parsed: once for a sweep.
--
CREATE FUNCTION @extschema@._error_terms(sqlstates text[])
RETURNS TABLE (i bigint, term text, program jsonb)
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT s.i, t.term, @extschema@._parse_term(t.term, '*')
      FROM unnest(sqlstates) WITH ORDINALITY AS s(sqlstate, i)
     CROSS JOIN LATERAL format('error(%s)', s.sqlstate) AS t(term);
$function$;
COMMENT ON FUNCTION @extschema@._error_terms(text[]) IS
    'Makes the terms that raise some SQLSTATEs.';

--
-- _points(every_hit)
--
-- The hits in the journal that are to be visited: of those with one failpoint and
-- one call stack the first.  nth counts the hits of its failpoint alone.
--
CREATE FUNCTION @extschema@._points(every_hit boolean)
RETURNS TABLE (hit bigint, failpoint text, nth bigint, stands_for bigint)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A loop leaves one stack many times over: its places are looked up once.
    SELECT min(s.hit), s.failpoint, min(s.nth), sum(s.hits)::bigint
      FROM (SELECT min(t.hit) AS hit, t.failpoint, t.stack, min(t.nth) AS nth, count(*) AS hits
              FROM (SELECT j.hit, j.failpoint, j.stack,
                           row_number() OVER (PARTITION BY j.failpoint ORDER BY j.hit) AS nth
                      FROM @extschema@._journal() AS j) AS t
             GROUP BY t.failpoint, t.stack, CASE WHEN every_hit THEN t.hit END) AS s
     GROUP BY s.failpoint, CASE WHEN every_hit THEN s.hit::text
                                ELSE @extschema@._places(s.stack) END;
$function$;
COMMENT ON FUNCTION @extschema@._points(boolean) IS
    'Lists the hits that a sweep visits, each with the number of hits that it stands for.';

--
-- _undisturbed(statement, path, session)
--
-- What the statement does when nothing goes wrong: the picture after it, what is
-- watched, and how well two runs agree.  The second of them keeps
-- the journal, and so tells which failpoints it passes; the fault that does that
-- stays armed, to be aimed at them: arming one for each would cost more than the
-- runs.
--
CREATE FUNCTION @extschema@._undisturbed(statement text, path text, session jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_watched  text[] := @extschema@._pggit_settings();
    v_first    jsonb := @extschema@._rerun(statement, path, v_watched, session);
    v_second   jsonb;
    v_fault_id bigint;
BEGIN
    PERFORM @extschema@._require_success(v_first);
    v_watched := v_watched || ARRAY(SELECT jsonb_array_elements_text(v_first -> 'touched'));
    PERFORM @extschema@._forget_journal();
    v_fault_id := @extschema@._arm('*', 'journal');
    v_second := @extschema@._rerun(statement, path, v_watched, session);
    PERFORM @extschema@._require_success(v_second);
    PERFORM @extschema@._release_locks(session);
    RETURN jsonb_build_object(
        'fault_id', v_fault_id,
        'watched', v_watched,
        'after', v_second -> 'picture',
        'tolerance', @extschema@._reproducible(v_first -> 'picture', v_second -> 'picture'));
END;
$function$;
COMMENT ON FUNCTION @extschema@._undisturbed(text, text, jsonb) IS
    'Learns what a statement does when nothing goes wrong.';

CREATE FUNCTION @extschema@._rerun(statement text, path text, watched text[], session jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._put_back_sequences(session);
    PERFORM setseed(0);
    RETURN @extschema@._rehearse(statement, path, watched);
END;
$function$;
COMMENT ON FUNCTION @extschema@._rerun(text, text, text[], jsonb) IS
    'Rehearses a statement from the same sequences and the same random seed each time.';

--
-- _disturbed(statement, path, sqlstate, plain, session)
--
-- One run with the fault that is aimed, judged.  Most end in an error, and then
-- PostgreSQL has taken back all that there could be to look at.  A success is run
-- again under our eyes.
--
CREATE FUNCTION @extschema@._disturbed(statement text, path text, sqlstate text, plain jsonb,
                                       session jsonb,
                                       OUT outcome text, OUT seen_sqlstate text, OUT detail text)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fault_id bigint := plain -> 'fault_id';
    v_watched  text[];
    v_fired    boolean;
    v_run      jsonb;
    v_before   jsonb := '{}';
    v_news     jsonb := '{}';
    v_leaks    text[];
BEGIN
    v_run := @extschema@._rerun(statement, path, NULL, session);
    IF v_run ->> 'sqlstate' IS NULL THEN
        v_watched := ARRAY(SELECT jsonb_array_elements_text(plain -> 'watched'));
        PERFORM @extschema@._recount(v_fault_id);
        v_run := @extschema@._rerun(statement, path, v_watched, session);
        -- All is taken back again: the state is what it was before.
        v_before := @extschema@._picture(v_watched);
        -- The fault may have sent pgGit to tables that nobody watched before: they
        -- are now what they were, and an undisturbed run leaves them so.
        v_news := @extschema@._picture(ARRAY(
            SELECT jsonb_array_elements_text(COALESCE(NULLIF(v_run -> 'touched', 'null'), '[]'))
            EXCEPT SELECT unnest(v_watched)));
    END IF;
    v_fired := @extschema@._has_fired(v_fault_id);
    v_leaks := @extschema@._leaks(session);
    seen_sqlstate := v_run ->> 'sqlstate';
    SELECT j.outcome, j.detail INTO outcome, detail
      FROM @extschema@._judge(v_run, v_fired, sqlstate, v_before || v_news,
                              (plain -> 'after') || v_news, plain -> 'tolerance', v_leaks) AS j;
    PERFORM @extschema@._release_locks(session) WHERE cardinality(v_leaks) > 0;
END;
$function$;
COMMENT ON FUNCTION @extschema@._disturbed(text, text, text, jsonb, jsonb) IS
    'Rehearses a statement with the fault that is aimed and judges the outcome.';

--
-- _aim(fault_id, failpoint, nth, term, program), _recount(fault_id), _has_fired(fault_id)
--
-- Points a fault of this session at one hit of one failpoint; counts from zero
-- again; tells whether it did anything since.
-- Writes: _fault, the sequences of the slot, the setting pggit_chaos.armed.
--
CREATE FUNCTION @extschema@._aim(fault_id bigint, failpoint text, nth bigint, term text,
                                 program jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE @extschema@._fault AS f
       SET failpoint = _aim.failpoint,
           pattern = @extschema@._failpoint_pattern(_aim.failpoint),
           term = _aim.term,
           program = _aim.program,
           start_hit = nth,
           end_hit = nth,
           expires_at = clock_timestamp() + (f.expires_at - f.armed_at),
           armed_at = clock_timestamp()
     WHERE f.fault_id = _aim.fault_id;
    PERFORM @extschema@._recount(fault_id);
    PERFORM @extschema@._show_own_faults();
END;
$function$;
COMMENT ON FUNCTION @extschema@._aim(bigint, text, bigint, text, jsonb) IS
    'Points a fault of this session at one hit of one failpoint.';

CREATE FUNCTION @extschema@._recount(fault_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM setval(@extschema@._counter((fault_id % 64)::integer, 'hits'), 0, true),
            setval(@extschema@._counter((fault_id % 64)::integer, 'fired'), 0, true);
END;
$function$;
COMMENT ON FUNCTION @extschema@._recount(bigint) IS
    'Sets the counters of a fault back to zero.';

CREATE FUNCTION @extschema@._has_fired(fault_id bigint)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN pg_sequence_last_value(@extschema@._counter((fault_id % 64)::integer, 'fired')) > 0;
COMMENT ON FUNCTION @extschema@._has_fired(bigint) IS
    'Answers whether a fault has done anything since its counters were zero.';
