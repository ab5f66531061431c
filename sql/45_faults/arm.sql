--
-- arm(failpoint, term, scope, start_hit, end_hit, seed, expires)
--
-- Arms one fault and answers its id.  A * in the failpoint matches any run of
-- characters; the hits of all that match are counted together.  The hit window
-- start_hit to end_hit counts from 1.  Writes: _fault, the counters of a slot,
-- the setting pggit_chaos.armed of this session.  Locks: none beyond the row.
-- Undone by disarm(), by rollback, by expiry, and by the end of the session.
--
CREATE FUNCTION @extschema@.arm(failpoint text, term text DEFAULT 'error',
                                scope text DEFAULT 'session', start_hit bigint DEFAULT 1,
                                end_hit bigint DEFAULT NULL, seed bigint DEFAULT 0,
                                expires interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(failpoint, 'failpoint');
    PERFORM @extschema@._require_value(term, 'term');
    PERFORM @extschema@._require_value(scope, 'scope');
    PERFORM @extschema@._require_value(start_hit, 'start_hit');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_value(expires, 'expires');
    PERFORM @extschema@._require_window(start_hit, end_hit, expires);
    IF scope <> 'session' THEN
        RAISE EXCEPTION 'invalid scope "%"', scope
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The scope is ''session''.';
    END IF;
    v_failpoint := @extschema@._resolve_failpoint(failpoint);
    RETURN @extschema@._arm_session(v_failpoint, term,
                                    @extschema@._parse_term(term, v_failpoint),
                                    start_hit, end_hit, seed, expires);
END;
$function$;
COMMENT ON FUNCTION @extschema@.arm(text, text, text, bigint, bigint, bigint, interval) IS
    'Arms a fault at a failpoint and answers its id.';

CREATE FUNCTION @extschema@._require_window(start_hit bigint, end_hit bigint, expires interval)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF start_hit < 1 THEN
        RAISE EXCEPTION 'start_hit must be at least 1, not %', start_hit
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF end_hit < start_hit THEN
        RAISE EXCEPTION 'end_hit % lies before start_hit %', end_hit, start_hit
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF expires <= '0'::interval OR expires > '1 day'::interval THEN
        RAISE EXCEPTION 'expires must be more than zero and at most one day, not %', expires
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Every fault expires, so that a lost driver leaves nobody waiting.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_window(bigint, bigint, interval) IS
    'Raises 22023 for a hit window or an expiry that cannot be.';

CREATE FUNCTION @extschema@._arm_session(failpoint text, term text, program jsonb,
                                         start_hit bigint, end_hit bigint, seed bigint,
                                         expires interval)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id   bigint;
    v_slot integer;
BEGIN
    PERFORM @extschema@._forget_dead_faults();
    FOR v_attempt IN 1 .. 64 LOOP
        v_id := nextval('@extschema@._fault_id');
        v_slot := v_id % 64;
        EXIT WHEN NOT EXISTS (SELECT FROM @extschema@._fault AS f WHERE f.slot = v_slot);
        v_slot := NULL;
    END LOOP;
    IF v_slot IS NULL THEN
        RAISE EXCEPTION 'no more than 64 faults can be armed at a time'
            USING ERRCODE = 'PC006',
                  HINT = 'SELECT pggit_chaos.disarm_all();';
    END IF;
    PERFORM setval(@extschema@._counter(v_slot, c.name), 0, true)
       FROM (VALUES ('hits'), ('fired')) AS c(name);
    INSERT INTO @extschema@._fault (fault_id, slot, failpoint, pattern, term, program, scope,
                                    pid, backend_start, start_hit, end_hit, seed,
                                    armed_at, expires_at, armed_by)
    SELECT v_id, v_slot, failpoint,
           @extschema@._failpoint_pattern(failpoint),
           term, program, 'session',
           a.pid, a.backend_start, start_hit, end_hit, seed,
           clock_timestamp(), clock_timestamp() + expires, session_user
      FROM pg_catalog.pg_stat_activity AS a
     WHERE a.pid = pg_backend_pid();
    PERFORM set_config('pggit_chaos.armed', 'on', false);
    RETURN v_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._arm_session(text, text, jsonb, bigint, bigint, bigint, interval) IS
    'Arms a fault for this session in a free slot and answers its id.';

--
-- _resolve_failpoint(failpoint)
--
-- The full name of a failpoint; a pattern as it is.  A function may go without
-- its argument list where it is the only one of its name.  Raises PC003 where no
-- hooks are installed, 42704 for an unknown name, 42725 for an ambiguous one.
--
CREATE FUNCTION @extschema@._resolve_failpoint(failpoint text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_pattern text := @extschema@._failpoint_pattern(failpoint);
    v_all     text[];
    v_found   text[];
BEGIN
    PERFORM @extschema@._require_hooks();
    v_all := ARRAY(SELECT f.failpoint FROM @extschema@._failpoints() AS f);
    v_found := ARRAY(
        SELECT f.name
          FROM unnest(v_all) AS f(name)
         WHERE f.name = failpoint
            OR f.name LIKE v_pattern
            OR split_part(f.name, '(', 1) = failpoint
         ORDER BY f.name);
    IF cardinality(v_found) = 0 THEN
        RAISE EXCEPTION 'failpoint "%" does not exist', failpoint
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: ' || @extschema@._near(failpoint, v_all) || '.',
                                    'No failpoint is named like it.'),
                  HINT = 'SELECT failpoint FROM pggit_chaos.failpoint;';
    ELSIF strpos(failpoint, '*') > 0 OR failpoint = ANY (v_found) THEN
        RETURN failpoint;
    ELSIF cardinality(v_found) > 1 THEN
        RAISE EXCEPTION 'failpoint "%" is not unique', failpoint
            USING ERRCODE = 'ambiguous_function',
                  DETAIL = format('There are %s.', array_to_string(v_found, ', ')),
                  HINT = 'Name its argument types.';
    END IF;
    RETURN v_found[1];
END;
$function$;
COMMENT ON FUNCTION @extschema@._resolve_failpoint(text) IS
    'Completes the name of a failpoint, or raises where it does not exist.';

CREATE FUNCTION @extschema@._failpoint_pattern(failpoint text)
RETURNS text
LANGUAGE sql
IMMUTABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT replace(regexp_replace(failpoint, '([\\%_])', '\\\1', 'g'), '*', '%');
$function$;
COMMENT ON FUNCTION @extschema@._failpoint_pattern(text) IS
    'Turns a failpoint in which * matches any run of characters into a pattern for LIKE.';

CREATE FUNCTION @extschema@._require_hooks()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@._hooks()) THEN
        RAISE EXCEPTION 'no hooks are installed in database "%"', current_database()
            USING ERRCODE = 'PC003',
                  HINT = 'SELECT * FROM pggit_chaos.install_hooks();';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_hooks() IS
    'Raises PC003 where no hooks are installed.';
