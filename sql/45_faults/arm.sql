--
-- arm(failpoint, term, scope, start_hit, end_hit, seed, expires)
--
-- Arms one fault and answers its id.  A * in the failpoint matches any run of
-- characters; the hits of all that match are counted together.  The hit window
-- start_hit to end_hit counts from 1.  Other sessions learn of it when the
-- transaction commits.  Writes: _fault, the sequences of a slot; for scope
-- session the setting pggit_chaos.armed, for the others what _share_faults()
-- writes.  Locks: none beyond the row and what _share_faults() locks.  Undone by
-- disarm(), by rollback, by expiry, by the end of the session that it is bound
-- to, and by a crash or restart of the server.
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
    v_failpoint := @extschema@._resolve_failpoint(failpoint);
    RETURN @extschema@._arm(v_failpoint, term, scope, start_hit, end_hit, seed, expires);
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

--
-- _arm(failpoint, term, scope, start_hit, end_hit, seed, expires)
--
-- As arm(), for a failpoint that is known to exist.
--
CREATE FUNCTION @extschema@._arm(failpoint text, term text, scope text DEFAULT 'session',
                                 start_hit bigint DEFAULT 1, end_hit bigint DEFAULT NULL,
                                 seed bigint DEFAULT 0, expires interval DEFAULT '1 hour')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_fault jsonb;
BEGIN
    PERFORM @extschema@._forget_dead_faults();
    SELECT @extschema@._insert_fault(jsonb_build_object(
               'failpoint', failpoint,
               'pattern', @extschema@._failpoint_pattern(failpoint),
               'term', term,
               'program', @extschema@._parse_term(term, failpoint),
               -- As a session spells it that looks whether it is meant.
               'scope', CASE WHEN scope LIKE 'pid:%' THEN 'pid:' || s.pid ELSE scope END,
               'pid', s.pid,
               'backend_start', s.backend_start,
               'database', @extschema@._database(),
               'incarnation', @extschema@._incarnation(),
               'start_hit', start_hit,
               'end_hit', end_hit,
               'seed', seed,
               'armed_at', n.now,
               'expires_at', n.now + expires,
               'armed_by', session_user))
      INTO v_fault
      FROM @extschema@._parse_scope(scope) AS s
     CROSS JOIN clock_timestamp() AS n(now);
    IF scope = 'session' THEN
        PERFORM @extschema@._show_own_faults();
    ELSE
        PERFORM @extschema@._require_replica_role();
        PERFORM @extschema@._share_faults(add => jsonb_build_array(v_fault));
    END IF;
    RETURN (v_fault -> 'fault_id')::bigint;
END;
$function$;
COMMENT ON FUNCTION @extschema@._arm(text, text, text, bigint, bigint, bigint, interval) IS
    'Arms a fault at a failpoint that is known to exist and answers its id.';

--
-- _show_own_faults()
--
-- Puts the patterns of this session's own faults, one a line, where the hit path
-- looks.  A name may hold a line break itself: let that match any character.
--
CREATE FUNCTION @extschema@._show_own_faults()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM set_config('pggit_chaos.armed', COALESCE(o.patterns, ''), false),
            set_config('pggit_chaos.armed_rows', COALESCE(o.of_rows, ''), false)
       FROM (SELECT string_agg(p.pattern, E'\n') AS patterns,
                    string_agg(p.pattern, E'\n')
                        FILTER (WHERE @extschema@._may_be_row(f.failpoint)) AS of_rows
               FROM @extschema@._fault AS f
              CROSS JOIN LATERAL replace(f.pattern, E'\n', '_') AS p(pattern)
              WHERE f.scope = 'session'
                AND f.pid = pg_backend_pid()) AS o;
END;
$function$;
COMMENT ON FUNCTION @extschema@._show_own_faults() IS
    'Tells the hit path at which failpoints this session has armed faults of its own.';

--
-- _insert_fault(fault)
--
-- Gives a fault, a row of _fault as JSON, an id and a slot, and sets the sequences
-- of the slot.  A slot that looks free can belong to a fault that this transaction
-- does not see; it is not worth waiting for that one's transaction to end.
--
CREATE FUNCTION @extschema@._insert_fault(fault jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1ms'
AS $function$
DECLARE
    v_id   bigint;
    v_slot integer;
BEGIN
    FOR v_attempt IN 1 .. 64 LOOP
        v_id := nextval('@extschema@._fault_id');
        v_slot := v_id % 64;
        CONTINUE WHEN EXISTS (SELECT FROM @extschema@._fault AS f WHERE f.slot = v_slot);
        fault := fault || jsonb_build_object('fault_id', v_id, 'slot', v_slot);
        BEGIN
            INSERT INTO @extschema@._fault
            SELECT r.* FROM jsonb_populate_record(NULL::@extschema@._fault, fault) AS r;
        EXCEPTION WHEN unique_violation OR lock_not_available THEN
            CONTINUE;
        END;
        PERFORM setval(@extschema@._counter(v_slot, 'hits'), 0, true),
                setval(@extschema@._counter(v_slot, 'fired'), 0, true),
                setval(@extschema@._counter(v_slot, 'released'), v_id << 32, true);
        RETURN fault;
    END LOOP;
    RAISE EXCEPTION 'no more than 64 faults can be armed at a time'
        USING ERRCODE = 'PC006',
              HINT = 'SELECT pggit_chaos.disarm_all();';
END;
$function$;
COMMENT ON FUNCTION @extschema@._insert_fault(jsonb) IS
    'Stores a fault, given as a row of _fault, under an id and in a free slot.';

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
    IF failpoint = '*' THEN  -- where there are hooks there are failpoints
        RETURN failpoint;
    END IF;
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
    -- Most times the first look is enough, and costs a hundredth of the second.
    IF NOT EXISTS (SELECT
                     FROM pg_catalog.pg_event_trigger AS e
                    WHERE e.evtfoid = '@extschema@._ddl_hook()'::regprocedure)
       AND NOT EXISTS (SELECT FROM @extschema@._hooks()) THEN
        RAISE EXCEPTION 'no hooks are installed in database "%"', current_database()
            USING ERRCODE = 'PC003',
                  HINT = 'SELECT * FROM pggit_chaos.install_hooks();';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_hooks() IS
    'Raises PC003 where no hooks are installed.';
