--
-- _parse_scope(scope), _scope_covers(fault)
--
-- Which sessions a fault strikes in: session (the one that arms it), database,
-- pid:N, role:NAME, application:NAME.  _parse_scope answers the session that the
-- fault is bound to and ends with, if there is one; it raises 22023 for a scope
-- that is none, and 42704 where there is no such session or role.  Write nothing.
--
CREATE FUNCTION @extschema@._parse_scope(scope text, OUT pid integer,
                                         OUT backend_start timestamptz)
RETURNS record
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_match text[] := regexp_match(scope, '^(session|database|pid:(\d{1,9})|role:(.+)|application:(.+))$');
    v_pid   integer := CASE WHEN scope = 'session' THEN pg_backend_pid()
                            ELSE v_match[2]::integer END;
BEGIN
    IF v_match IS NULL THEN
        RAISE EXCEPTION 'invalid scope "%"', scope
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A scope is session, database, pid:N, role:NAME or application:NAME.';
    ELSIF v_pid IS NOT NULL THEN
        -- What this transaction has seen before may be older than the session.
        PERFORM pg_stat_clear_snapshot();
        SELECT a.pid, a.backend_start INTO pid, backend_start
          FROM pg_catalog.pg_stat_activity AS a
         WHERE a.pid = v_pid
           AND a.datname = current_database();
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no session % in database "%"', v_pid, current_database()
                USING ERRCODE = 'undefined_object',
                      HINT = 'SELECT pid, usename, application_name FROM pg_stat_activity;';
        END IF;
    ELSIF v_match[3] IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = v_match[3]) THEN
        RAISE EXCEPTION 'role "%" does not exist', v_match[3]
            USING ERRCODE = 'undefined_object';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_scope(text) IS
    'Checks a scope and finds the session that a fault of it is bound to.';

CREATE FUNCTION @extschema@._scope_covers(fault @extschema@._fault)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT fault.scope IN ('database',
                           'pid:' || pg_backend_pid(),
                           'role:' || session_user,
                           'application:' || current_setting('application_name'));
$function$;
COMMENT ON FUNCTION @extschema@._scope_covers(@extschema@._fault) IS
    'Answers whether this session is one that a shared fault strikes in.';
