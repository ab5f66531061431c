--
-- lock_hold, release_lock(hold_id)
--
-- The holds that are there now, read from the sessions that hold them: what is
-- listed is held, whatever transaction asked for it and whatever became of that.
-- release_lock() ends the session of one and answers whether there was one.  It
-- asks for no opt-in: letting go is always allowed.
--
CREATE FUNCTION @extschema@._lock_holds()
RETURNS TABLE (hold_id bigint, target text, mode text, pid integer, since timestamptz,
               expires_at timestamptz)
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- What this transaction has seen before may be older than the hold.
    SELECT pg_stat_clear_snapshot();
    SELECT m.match[1]::bigint, m.match[4], m.match[3], a.pid, a.query_start,
           to_timestamp(m.match[2]::float8)
      FROM pg_catalog.pg_stat_activity AS a
     CROSS JOIN LATERAL regexp_match(a.query,
               '^/\* pggit_chaos\.hold_lock (\d{1,18}) until (\d{1,11}(?:\.\d{1,9})?): '
               '([A-Z ]+) on (.*?)(?: \*/.*)?$') AS m(match)
     WHERE a.datname = current_database()
       AND a.application_name = 'pggit_chaos hold_lock'
       AND a.state = 'active'
       AND m.match IS NOT NULL
       -- A session that ends is listed for a moment after it has let go.
       AND EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                    WHERE l.pid = a.pid AND l.granted AND l.locktype IN ('relation', 'advisory'));
$function$;
COMMENT ON FUNCTION @extschema@._lock_holds() IS
    'Lists the lock holds from the sessions that hold them.';

CREATE VIEW @extschema@.lock_hold AS
SELECT h.hold_id, h.target, h.mode, h.pid, h.since, h.expires_at
  FROM @extschema@._lock_holds() AS h;
COMMENT ON VIEW @extschema@.lock_hold IS
    'The locks that other sessions hold for hold_lock(), with the time at which they let go.';

CREATE FUNCTION @extschema@.release_lock(hold_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_released boolean;
BEGIN
    PERFORM @extschema@._require_value(hold_id, 'hold_id');
    SELECT bool_or(pg_terminate_backend(h.pid, 5000)) INTO v_released
      FROM @extschema@._lock_holds() AS h
     WHERE h.hold_id = release_lock.hold_id;
    RETURN COALESCE(v_released, false);
END;
$function$;
COMMENT ON FUNCTION @extschema@.release_lock(bigint) IS
    'Ends a lock hold and answers whether it was there.';
