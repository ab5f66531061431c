--
-- disarm(fault_id), disarm_all(everything)
--
-- Remove one fault, or every fault of every session.  Answer whether there was
-- one, and how many.  With everything all else that was done to pgGit ends too:
-- lock holds are released, corruptions healed, hooks taken out; each is counted.
-- A session that waits in one goes on.  They hold at once and for every session,
-- even if this transaction rolls back; they ask for no opt-in: ending a fault is
-- always allowed.  Write: _fault, the sequence "released", the
-- setting pggit_chaos.armed of this session, what _share_faults() writes.
-- Locks: what _share_faults() locks.
--
CREATE FUNCTION @extschema@.disarm(fault_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_value(fault_id, 'fault_id');
    RETURN @extschema@._disarm(ARRAY[fault_id]) > 0;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm(bigint) IS
    'Removes one fault and answers whether it was there.';

CREATE FUNCTION @extschema@.disarm_all(everything boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_count integer;
BEGIN
    PERFORM @extschema@._require_value(everything, 'everything');
    v_count := @extschema@._disarm(ARRAY(SELECT f.fault_id FROM @extschema@._known_faults() AS f));
    IF everything THEN
        v_count := v_count
                   + (SELECT count(*) FROM @extschema@._lock_holds() AS h
                       WHERE @extschema@.release_lock(h.hold_id))::integer
                   + @extschema@.heal_all()
                   + (SELECT sum(u.removed) FROM @extschema@.uninstall_hooks() AS u)::integer;
    END IF;
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.disarm_all(boolean) IS
    'Removes every fault of every session, with everything also lock holds, corruptions and hooks, and counts them.';

--
-- _disarm(fault_ids)
--
-- Marks the faults as disarmed first, for everybody to see, and tidies up then.
-- A row that another transaction is removing is left to it, and not waited for.
--
CREATE FUNCTION @extschema@._disarm(fault_ids bigint[])
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_shared boolean;
    v_count  integer;
BEGIN
    PERFORM @extschema@._mark_disarmed(f.fault_id, f.slot)
       FROM @extschema@._known_faults() AS f
      WHERE f.fault_id = ANY (fault_ids);
    v_shared := EXISTS (
        SELECT
          FROM jsonb_array_elements(@extschema@._shared_faults()) AS f(fault)
         WHERE (f.fault ->> 'fault_id')::bigint = ANY (fault_ids));
    DELETE FROM @extschema@._fault AS d
     WHERE d.fault_id IN (
           SELECT f.fault_id
             FROM @extschema@._fault AS f
            WHERE f.fault_id = ANY (fault_ids)
              FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_shared THEN
        PERFORM @extschema@._share_faults(drop => fault_ids);
    ELSE
        -- A transaction that armed and rolled back has left the filters as it set them.
        PERFORM @extschema@._rest();
    END IF;
    PERFORM @extschema@._show_own_faults() WHERE current_setting('pggit_chaos.armed', true) <> '';
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@._disarm(bigint[]) IS
    'Removes faults and lets the hit path rest where nothing is armed any more.';

--
-- _forget_dead_faults()
--
-- Removes the rows of faults that can strike no more.  Passes over those that
-- another session is removing.
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
            WHERE NOT @extschema@._can_strike(f)
              FOR UPDATE SKIP LOCKED);
$function$;
COMMENT ON FUNCTION @extschema@._forget_dead_faults() IS
    'Removes the faults that can strike no more.';

CREATE FUNCTION @extschema@._is_alive(pid integer, backend_start timestamptz)
RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN EXISTS (SELECT
                     FROM pg_catalog.pg_stat_get_activity(_is_alive.pid) AS a
                    WHERE a.backend_start = _is_alive.backend_start);
END;
$function$;
COMMENT ON FUNCTION @extschema@._is_alive(integer, timestamptz) IS
    'Answers whether a session, told by its process id and its start, still lives.';
