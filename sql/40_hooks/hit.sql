--
-- The hit path: what runs inside pgGit, as whoever calls pgGit.
--
-- hit(failpoint)
--
-- Disarmed, it tests one setting and is out.  Its body is ATOMIC: names and
-- operators are bound here and now and need no search_path, and so PostgreSQL
-- can inline it, and _armed() in it, into the IF that calls it.  The setting holds
-- the patterns of this session's own faults, and a fault that is armed elsewhere
-- costs little more than none.  Always answers false.
--
CREATE FUNCTION @extschema@._armed()
RETURNS boolean
LANGUAGE sql
STABLE
RETURN current_setting('pggit_chaos.armed', true) <> '' OR @extschema@._armed_for_others();
COMMENT ON FUNCTION @extschema@._armed() IS
    'Answers whether any fault may be armed for this session.';

CREATE FUNCTION @extschema@._armed(failpoint text)
RETURNS boolean
LANGUAGE sql
STABLE
RETURN failpoint LIKE ANY (string_to_array(current_setting('pggit_chaos.armed', true), E'\n'))
       OR @extschema@._armed_for_others(failpoint);
COMMENT ON FUNCTION @extschema@._armed(text) IS
    'Answers whether any fault may be armed at a failpoint for this session.';

CREATE FUNCTION @extschema@._hit_armed(failpoint text)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._strike(failpoint);
    RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._hit_armed(text) IS
    'Lets the faults that are armed for this session strike at a failpoint; answers false.';

CREATE FUNCTION @extschema@.hit(failpoint text)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN CASE WHEN @extschema@._armed(failpoint)
            THEN @extschema@._hit_armed(failpoint)
            ELSE false
       END;
COMMENT ON FUNCTION @extschema@.hit(text) IS
    'The call that a hooked function makes at its entry; answers false.';

--
-- _row_hook()
--
-- The trigger behind the failpoints TABLE.EVENT.PHASE; table and phase are its
-- arguments.  Only a before-row trigger can skip or change the row.
--
CREATE FUNCTION @extschema@._row_hook()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_heard     integer;
    v_failpoint text;
    v_verdict   jsonb;
BEGIN
    -- PostgreSQL hears of what other sessions have armed when it takes a lock on a
    -- relation, and at COMMIT nothing else does.  No transaction keeps this one.
    IF TG_ARGV[1] = 'commit' THEN
        v_heard := pg_relation_is_updatable('@extschema@._fault_id', false);
    END IF;
    IF @extschema@._armed() THEN
        v_failpoint := concat_ws('.', TG_ARGV[0], lower(TG_OP), TG_ARGV[1]);
        IF @extschema@._armed(v_failpoint) THEN
            v_verdict := @extschema@._strike(v_failpoint);
        END IF;
        IF v_verdict ? 'skip' THEN
            RETURN NULL;
        ELSIF v_verdict ? 'mutate' AND TG_OP <> 'DELETE' THEN
            RETURN jsonb_populate_record(NEW, v_verdict -> 'mutate');
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_hook() IS
    'The row trigger that passes the failpoints of a table.';

--
-- _ddl_hook()
--
-- The event trigger behind the failpoints ddl.TAG.start, ddl.TAG.end, ddl.drop.
--
CREATE FUNCTION @extschema@._ddl_hook()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
BEGIN
    IF @extschema@._armed() THEN
        v_failpoint := CASE TG_EVENT
                           WHEN 'ddl_command_start' THEN format('ddl.%s.start', TG_TAG)
                           WHEN 'ddl_command_end' THEN format('ddl.%s.end', TG_TAG)
                           ELSE 'ddl.drop'
                       END;
        IF @extschema@._armed(v_failpoint) THEN
            PERFORM @extschema@._strike(v_failpoint);
        END IF;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._ddl_hook() IS
    'The event trigger that passes the failpoints of DDL.';
