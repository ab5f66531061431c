--
-- disarm(fault_id), disarm_all()
--
-- Remove one fault, or every fault of every session.  Answer whether there was
-- one, and how many.  Ask for no opt-in: ending a fault is always allowed.
-- Write: _fault, the setting pggit_chaos.armed of this session.
--
CREATE FUNCTION @extschema@.disarm(fault_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_found boolean;
BEGIN
    PERFORM @extschema@._require_value(fault_id, 'fault_id');
    DELETE FROM @extschema@._fault AS f WHERE f.fault_id = disarm.fault_id;
    v_found := FOUND;
    PERFORM @extschema@._settle_armed();
    RETURN v_found;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm(bigint) IS
    'Removes one fault and answers whether it was there.';

CREATE FUNCTION @extschema@.disarm_all()
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_count integer;
BEGIN
    DELETE FROM @extschema@._fault;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM @extschema@._settle_armed();
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm_all() IS
    'Removes every fault of every session and answers how many there were.';

--
-- _settle_armed()
--
-- Lets the hit path of this session rest where nothing is armed for it.
--
CREATE FUNCTION @extschema@._settle_armed()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT set_config('pggit_chaos.armed', 'off', false)
     WHERE current_setting('pggit_chaos.armed', true) = 'on'
       AND NOT EXISTS (SELECT FROM @extschema@._fault AS f WHERE f.pid = pg_backend_pid());
$function$;
COMMENT ON FUNCTION @extschema@._settle_armed() IS
    'Sets pggit_chaos.armed off where no fault is armed for this session.';

--
-- _forget_dead_faults()
--
-- Removes the faults of sessions that have ended.  Passes over rows that another
-- session is removing.
--
CREATE FUNCTION @extschema@._forget_dead_faults()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    DELETE FROM @extschema@._fault AS d
     WHERE d.fault_id IN (
           SELECT f.fault_id
             FROM @extschema@._fault AS f
            WHERE NOT @extschema@._is_alive(f.pid, f.backend_start)
              FOR UPDATE SKIP LOCKED);
$function$;
COMMENT ON FUNCTION @extschema@._forget_dead_faults() IS
    'Removes the faults of sessions that have ended.';

CREATE FUNCTION @extschema@._is_alive(pid integer, backend_start timestamptz)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (SELECT
                     FROM pg_catalog.pg_stat_activity AS a
                    WHERE a.pid = _is_alive.pid
                      AND a.backend_start = _is_alive.backend_start);
$function$;
COMMENT ON FUNCTION @extschema@._is_alive(integer, timestamptz) IS
    'Answers whether a session, told by its process id and its start, still lives.';
