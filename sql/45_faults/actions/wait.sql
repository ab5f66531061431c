--
-- wait: stops there until wake(), disarm() or expiry.
--
CREATE FUNCTION @extschema@._action_wait_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._no_arguments('wait', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_wait_parse(text, text) IS
    'Reads the arguments of the action wait: there are none.';

CREATE FUNCTION @extschema@._action_wait(fault @extschema@._fault, failpoint text, hit bigint,
                                         arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- The shared advisory locks show wake() who waits where, even for a fault
    -- that it cannot see yet.  They go with the subtransaction, whether the wait
    -- ends in a release, a cancellation or the death of the session.
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(hashtext('pggit_chaos fault'),
                                             fault.fault_id::integer),
                pg_advisory_xact_lock_shared(hashtext('pggit_chaos wait'), hashtext(fault.failpoint));
        WHILE @extschema@._released(fault.slot) < (fault.fault_id << 32) + hit
              AND clock_timestamp() < fault.expires_at LOOP
            PERFORM pg_sleep(0.002);
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'PC998', MESSAGE = 'the way back';
    EXCEPTION WHEN SQLSTATE 'PC998' THEN
        RETURN NULL;
    END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_wait(@extschema@._fault, text, bigint, jsonb) IS
    'Waits until the fault is woken, is disarmed or expires.';
