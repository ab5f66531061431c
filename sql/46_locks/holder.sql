--
-- _require_dblink(), _open_holder(dblink, id)
--
-- The other session: where dblink is, and a connection of it to this database.
-- A connection whose hold is over is closed on the way.  Raise PC010.
--
CREATE FUNCTION @extschema@._require_dblink()
RETURNS name
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_schema name;
BEGIN
    SELECT n.nspname INTO v_schema
      FROM pg_catalog.pg_extension AS e
      JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
     WHERE e.extname = 'dblink';
    IF v_schema IS NULL THEN
        RAISE EXCEPTION 'there is no way to start another session from here'
            USING ERRCODE = 'PC010',
                  DETAIL = 'A lock that this session would hold itself could block nobody but others; '
                           'dblink starts another one.',
                  HINT = 'CREATE EXTENSION dblink;';
    END IF;
    RETURN v_schema;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_dblink() IS
    'Names the schema of dblink, or raises PC010 where it is not installed.';

CREATE FUNCTION @extschema@._open_holder(dblink name, id bigint)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_name text := 'pggit_chaos hold ' || id;
BEGIN
    PERFORM @extschema@._close_holders(dblink);
    EXECUTE format('SELECT %I.dblink_connect($1, $2)', dblink)
      USING v_name,
            (SELECT string_agg(format('%s=''%s''', p.name,
                                      regexp_replace(p.value, '([\\''])', '\\\1', 'g')), ' ')
               FROM (VALUES ('host', btrim(split_part(current_setting('unix_socket_directories'),
                                                      ',', 1))),
                            ('port', current_setting('port')),
                            ('dbname', current_database()),
                            ('user', session_user),
                            ('application_name', 'pggit_chaos hold_lock')) AS p(name, value));
    -- The other session notices within a tenth of a second when this one is gone.
    EXECUTE format('SELECT %I.dblink_exec($1, $2)', dblink)
      USING v_name,
            'SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; '
            'SET client_connection_check_interval = ''100ms''';
    RETURN v_name;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
    RAISE EXCEPTION 'no other session could be started: %', SQLERRM
        USING ERRCODE = 'PC010',
              HINT = 'Take the lock in a session of your own.';
END;
$function$;
COMMENT ON FUNCTION @extschema@._open_holder(name, bigint) IS
    'Opens the session that is to hold a lock and answers the name of its connection.';

CREATE FUNCTION @extschema@._close_holders(dblink name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_names text[];
    v_name  text;
BEGIN
    EXECUTE format('SELECT %I.dblink_get_connections()', dblink) INTO v_names;
    FOREACH v_name IN ARRAY COALESCE(v_names, '{}') LOOP
        IF v_name LIKE 'pggit\_chaos hold %' AND NOT @extschema@._is_busy(dblink, v_name) THEN
            EXECUTE format('SELECT %I.dblink_disconnect($1)', dblink) USING v_name;
        END IF;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._close_holders(name) IS
    'Closes this session''s connections whose lock hold is over.';

CREATE FUNCTION @extschema@._is_busy(dblink name, connection text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_busy integer;
BEGIN
    EXECUTE format('SELECT %I.dblink_is_busy($1)', dblink) INTO v_busy USING connection;
    RETURN v_busy = 1;
END;
$function$;
COMMENT ON FUNCTION @extschema@._is_busy(name, text) IS
    'Answers whether a connection of dblink still runs its statement.';
