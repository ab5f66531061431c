--
-- crash: the server process is killed, and PostgreSQL recovers.  Only where the
-- owner of the server has declared it disposable.
--
CREATE FUNCTION @extschema@._action_crash_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_disposable();
    RETURN @extschema@._no_arguments('crash', arguments);
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_crash_parse(text, text) IS
    'Reads the arguments of the action crash, there are none, and asks whether the server is disposable.';

CREATE FUNCTION @extschema@._action_crash(fault @extschema@._fault, failpoint text, hit bigint,
                                          arguments jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_disposable();
    -- The shell that PostgreSQL starts is a child of this very backend.
    COPY (SELECT) TO PROGRAM 'kill -9 $PPID';
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_crash(@extschema@._fault, text, bigint, jsonb) IS
    'Kills the server process that passes the failpoint.';

--
-- _require_disposable()
--
-- Raises PC009 unless the server's own configuration files say that it may be
-- crashed.  Neither a session's nor a database's nor a role's setting counts, and
-- pg_dumpall does not carry it to another server.
--
CREATE FUNCTION @extschema@._require_disposable()
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT
                     FROM pg_catalog.pg_show_all_file_settings() AS s
                    WHERE s.name = 'pggit_chaos.disposable'
                      AND lower(s.setting) IN ('on', 'true', 'yes', '1')) THEN
        RAISE EXCEPTION 'this server is not declared disposable'
            USING ERRCODE = 'PC009',
                  DETAIL = 'A crash ends every session of the server, not of this database alone.',
                  HINT = 'SET pggit_chaos.disposable = on; '
                         'ALTER SYSTEM SET pggit_chaos.disposable = on;';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_disposable() IS
    'Raises PC009 unless the server''s configuration declares it disposable.';
