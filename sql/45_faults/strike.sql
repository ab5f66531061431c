--
-- _strike(failpoint)
--
-- Passes a failpoint: counts the hit for each fault that is armed here for this
-- session, and lets the step that is due act.  The order of the tests is scope,
-- expiry, hit window, probability, count.  Answers what is to happen to the row
-- (NULL, {"skip": true} or {"mutate": {...}}), which only a before-row trigger
-- can heed.  Writes: the counters, which are sequences; where nothing
-- was armed after all, what _rest() writes.
-- Calls: _action_NAME.  Runs as the extension's owner: see _pass.
--
CREATE FUNCTION @extschema@._strike(failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fault   @extschema@._fault;
    v_hit     bigint;
    v_step    jsonb;
    v_verdict jsonb;
    v_result  jsonb;
BEGIN
    -- No counter can move in a read-only transaction, and so nothing strikes.
    IF current_setting('transaction_read_only') = 'on' THEN
        RETURN NULL;
    END IF;
    FOR v_fault IN SELECT a.* FROM @extschema@._armed_at(failpoint) AS a LOOP
        -- The one before it may have waited, and this one be over since.
        CONTINUE WHEN v_hit IS NOT NULL AND NOT @extschema@._can_strike(v_fault);
        v_hit := nextval(@extschema@._counter(v_fault.slot, 'hits'));
        CONTINUE WHEN v_hit < v_fault.start_hit OR v_hit > v_fault.end_hit;
        SELECT s.step INTO v_step
          FROM @extschema@._step_at(v_fault.program, v_fault.seed, v_fault.failpoint,
                                    v_hit - v_fault.start_hit + 1) AS s;
        CONTINUE WHEN COALESCE(v_step ->> 'action', 'off') = 'off';
        PERFORM nextval(@extschema@._counter(v_fault.slot, 'fired'));
        IF v_step ->> 'action' = 'journal' THEN
            -- That of a trace strikes thousands of times; EXECUTE would plan each of them.
            v_verdict := @extschema@._action_journal(v_fault, failpoint, v_hit, NULL);
        ELSE
            EXECUTE format('SELECT @extschema@.%I($1, $2, $3, $4)',
                           '_action_' || (v_step ->> 'action'))
               INTO v_verdict
              USING v_fault, failpoint, v_hit, v_step -> 'arguments';
        END IF;
        v_result := COALESCE(v_result || v_verdict, v_verdict, v_result);
    END LOOP;
    IF v_hit IS NULL THEN
        PERFORM @extschema@._rest();
    END IF;
    RETURN v_result;
END;
$function$;
COMMENT ON FUNCTION @extschema@._strike(text) IS
    'Counts a hit for each fault armed at a failpoint and lets the due steps act.';

--
-- _armed_at(failpoint)
--
-- The faults that are armed at a failpoint for this session, in the order of
-- their arming: its own, which it sees itself, and the shared ones.  Who has armed
-- none does not read the table: a serializable transaction would depend on it.
-- PL/pgSQL, as all that is called at each hit: before version 18 PostgreSQL plans
-- the query of a function in SQL anew for each call.
--
CREATE FUNCTION @extschema@._armed_at(failpoint text)
RETURNS SETOF @extschema@._fault
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM @extschema@._fault AS f
     WHERE current_setting('pggit_chaos.armed', true) <> ''
       AND f.scope = 'session'
       AND f.pid = pg_backend_pid()
       AND _armed_at.failpoint LIKE f.pattern
       AND f.expires_at > clock_timestamp()
       AND NOT @extschema@._is_disarmed(f.fault_id, f.slot)
       -- A process id is used again.
       AND @extschema@._is_alive(f.pid, f.backend_start)
     UNION ALL
    SELECT f.*
      FROM jsonb_populate_recordset(
               NULL::@extschema@._fault,
               CASE WHEN pg_sequence_last_value('@extschema@._shared_failpoints') > 0
                    THEN @extschema@._shared_faults()
                    ELSE '[]'
               END) AS f
     WHERE @extschema@._scope_covers(f)
       AND _armed_at.failpoint LIKE f.pattern
       AND @extschema@._can_strike(f)
     ORDER BY 1;
END;
$function$;
COMMENT ON FUNCTION @extschema@._armed_at(text) IS
    'Lists the faults that are armed at a failpoint for this session.';
