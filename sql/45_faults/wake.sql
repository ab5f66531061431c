--
-- wake(failpoint, disarm)
--
-- Releases the sessions that wait in the faults armed at a failpoint, and answers
-- how many there were.  A session whose hit is counted and that is about to wait
-- is released, too.  With disarm the faults are disarmed first, and so no session
-- can begin to wait in between.  Holds at once, whatever becomes of this
-- transaction.  Asks for neither opt-in nor hooks: letting go is always allowed.
-- Writes: the sequence "released"; with disarm what disarm() writes.
--
CREATE FUNCTION @extschema@.wake(failpoint text, disarm boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
    v_waiting   integer;
    v_faults    bigint[];
BEGIN
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(disarm, 'disarm');
    v_failpoint := @extschema@._armed_failpoint(failpoint);
    PERFORM @extschema@._await_waiters(v_failpoint);
    SELECT count(DISTINCT w.pid), array_agg(w.fault_id)
      INTO v_waiting, v_faults
      FROM @extschema@._waiting(v_failpoint) AS w;
    -- A fault whose transaction is still open has no row yet, but has a waiter.
    v_faults := ARRAY(SELECT f.fault_id
                        FROM @extschema@._known_faults() AS f
                       WHERE f.failpoint = v_failpoint
                       UNION
                      SELECT unnest(v_faults));
    IF disarm THEN
        PERFORM @extschema@._mark_disarmed(f.id, (f.id % 64)::integer) FROM unnest(v_faults) AS f(id);
        PERFORM @extschema@._disarm(v_faults);
    ELSE
        PERFORM @extschema@._release_hits(f.id, (f.id % 64)::integer) FROM unnest(v_faults) AS f(id);
    END IF;
    RETURN v_waiting;
END;
$function$;
COMMENT ON FUNCTION @extschema@.wake(text, boolean) IS
    'Releases the sessions that wait at a failpoint, disarms it if asked to, and counts them.';

--
-- _armed_failpoint(failpoint)
--
-- The full name of a failpoint at which something is armed.  Hooks can have been
-- taken out, or replaced by an upgrade of pgGit, under a session that waits.
--
CREATE FUNCTION @extschema@._armed_failpoint(failpoint text)
RETURNS text
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN EXISTS (SELECT FROM @extschema@._known_faults() AS f
                              WHERE f.failpoint = _armed_failpoint.failpoint)
                     OR EXISTS (SELECT FROM @extschema@._waiting(failpoint))
                THEN failpoint
                ELSE @extschema@._resolve_failpoint(failpoint)
           END;
$function$;
COMMENT ON FUNCTION @extschema@._armed_failpoint(text) IS
    'Completes the name of a failpoint, which need not exist any more where a fault is armed there.';

--
-- _await_waiters(failpoint), _missing_waiters(failpoint)
--
-- Between the count of its hit and its wait a session takes a moment, and wake()
-- is to count it.  One that was cancelled or killed while it waited will not come,
-- and so this does not last.
--
CREATE FUNCTION @extschema@._await_waiters(failpoint text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_end CONSTANT timestamptz := clock_timestamp() + '50 milliseconds';
BEGIN
    WHILE @extschema@._missing_waiters(failpoint) > 0 AND clock_timestamp() < v_end LOOP
        PERFORM pg_sleep(0.001);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._await_waiters(text) IS
    'Gives the sessions that are about to wait at a failpoint the moment that they need.';

CREATE FUNCTION @extschema@._missing_waiters(failpoint text)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT (SELECT count(*)
              FROM @extschema@._known_faults() AS f
             CROSS JOIN LATERAL (
                   SELECT GREATEST(@extschema@._released(f.slot) - (f.fault_id << 32), 0),
                          COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'hits')), 0)
                   ) AS c(released, counted)
             CROSS JOIN LATERAL generate_series(
                   GREATEST(c.released + 1, f.start_hit, c.counted - 100),
                   LEAST(c.counted, f.end_hit)) AS h(hit)
             CROSS JOIN LATERAL @extschema@._step_at(f.program, f.seed, f.failpoint,
                                                     h.hit - f.start_hit + 1) AS s
             WHERE f.failpoint = _missing_waiters.failpoint
               AND s.step ->> 'action' = 'wait')
           - (SELECT count(*) FROM @extschema@._waiting(failpoint));
$function$;
COMMENT ON FUNCTION @extschema@._missing_waiters(text) IS
    'Counts the hits at a failpoint that are due to wait and that nobody waits for yet.';

--
-- _waiting(failpoint)
--
-- The sessions of this database that wait in a fault armed at a failpoint.
--
CREATE FUNCTION @extschema@._waiting(failpoint text)
RETURNS TABLE (pid integer, fault_id bigint)
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT w.pid, s.objid::bigint
      FROM pg_catalog.pg_locks AS w
      JOIN pg_catalog.pg_locks AS s ON s.pid = w.pid
     CROSS JOIN (SELECT @extschema@._database()) AS here(oid)
     WHERE w.locktype = 'advisory' AND w.objsubid = 2 AND w.database = here.oid
       AND w.classid::bigint = hashtext('pggit_chaos wait')::bigint & 4294967295
       AND w.objid::bigint = hashtext(failpoint)::bigint & 4294967295
       AND s.locktype = 'advisory' AND s.objsubid = 2 AND s.database = here.oid
       AND s.classid::bigint = hashtext('pggit_chaos fault')::bigint & 4294967295;
$function$;
COMMENT ON FUNCTION @extschema@._waiting(text) IS
    'Lists the sessions that wait at a failpoint, each with the id of its fault.';

--
-- wait_triggered(failpoint, hits, timeout)
--
-- Waits until the faults armed at a failpoint have counted so many hits, or until
-- a session waits there; answers whether that came about in time.  Call it with
-- the failpoint as it was given to arm().  Writes: nothing.
--
CREATE FUNCTION @extschema@.wait_triggered(failpoint text, hits bigint DEFAULT 1,
                                           timeout interval DEFAULT '10 seconds')
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
    v_end       timestamptz;
BEGIN
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(hits, 'hits');
    PERFORM @extschema@._require_value(timeout, 'timeout');
    v_failpoint := @extschema@._armed_failpoint(failpoint);
    v_end := clock_timestamp() + timeout;
    LOOP
        IF @extschema@._hits_at(v_failpoint) >= hits THEN
            RETURN true;
        ELSIF clock_timestamp() >= v_end THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(0.002);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.wait_triggered(text, bigint, interval) IS
    'Waits until the faults at a failpoint have counted so many hits; false where the time ran out.';

CREATE FUNCTION @extschema@._hits_at(failpoint text)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A fault that this transaction cannot see shows by whoever waits in it.
    SELECT GREATEST(
        (SELECT COALESCE(sum(COALESCE(pg_sequence_last_value(
                    @extschema@._counter(f.slot, 'hits')), 0)), 0)::bigint
           FROM @extschema@._known_faults() AS f
          WHERE f.failpoint = _hits_at.failpoint),
        (SELECT count(DISTINCT w.pid) FROM @extschema@._waiting(failpoint) AS w));
$function$;
COMMENT ON FUNCTION @extschema@._hits_at(text) IS
    'Sums the hits that the faults armed at a failpoint have counted.';
