--
-- hold_lock(target, mode, duration)
--
-- Lets another session take a lock and keep it for a while, and answers the id of
-- the hold once the lock is there.  The target is a table; a table, WHERE and a
-- condition (row locks on the rows that it names); or advisory and one or two
-- keys.  The other session is a dblink connection to this database, as the same
-- role.  It lets go when the time is over, when this session ends, and on
-- release_lock(); not on rollback.  Raises 55P03 where the lock is not to be had
-- within two seconds, PC010 where no other session can be started.
-- Writes: nothing.  Locks: as asked for, by the other session.
-- Calls: _lock_statement, _open_holder.
--
CREATE FUNCTION @extschema@.hold_lock(target text, mode text DEFAULT 'ACCESS EXCLUSIVE',
                                      duration interval DEFAULT '5 seconds')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_statement text;
    v_dblink    name;
    v_holder    text;
    v_id        bigint;
    v_locked    bigint;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(target, 'target');
    PERFORM @extschema@._require_value(mode, 'mode');
    PERFORM @extschema@._require_value(duration, 'duration');
    IF duration <= '0'::interval OR duration > '1 day'::interval THEN
        RAISE EXCEPTION 'duration must be more than zero and at most one day, not %', duration
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Every lock hold expires, so that a lost driver leaves nobody waiting.';
    END IF;
    v_statement := @extschema@._lock_statement(target, upper(mode));
    v_dblink := @extschema@._require_dblink();
    v_id := nextval('@extschema@._lock_hold_id');
    v_holder := @extschema@._open_holder(v_dblink, v_id);
    BEGIN
        EXECUTE format('SELECT %I.dblink_exec($1, $2)', v_dblink)
          USING v_holder, 'BEGIN; SET LOCAL lock_timeout = ''2s''';
        EXECUTE format('SELECT l.locked FROM %I.dblink($1, $2) AS l(locked bigint)', v_dblink)
           INTO v_locked
          USING v_holder, v_statement;
        IF v_locked = 0 THEN
            RAISE EXCEPTION 'there is no row to lock: "%"', target
                USING ERRCODE = 'no_data_found';
        END IF;
        -- The view lock_hold reads in the running statement what is held.
        EXECUTE format('SELECT %I.dblink_send_query($1, $2)', v_dblink)
          USING v_holder,
                format('/* pggit_chaos.hold_lock %s until %s: %s on %s */ SELECT pg_sleep(%s); ROLLBACK',
                       v_id, extract(epoch FROM clock_timestamp() + duration), upper(mode),
                       replace(replace(target, '/*', '/ *'), '*/', '* /'),
                       extract(epoch FROM duration));
        -- Nor is it there before that session has come so far.
        WHILE @extschema@._is_busy(v_dblink, v_holder)
              AND NOT EXISTS (SELECT FROM @extschema@._lock_holds() AS h
                               WHERE h.hold_id = v_id) LOOP
            PERFORM pg_sleep(0.001);
        END LOOP;
    -- Whatever went wrong: a dblink connection outlives a rollback.
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        EXECUTE format('SELECT %I.dblink_disconnect($1)', v_dblink) USING v_holder;
        RAISE;
    END;
    RETURN v_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@.hold_lock(text, text, interval) IS
    'Lets another session hold a lock for a while and answers the id of the hold.';

--
-- _lock_statement(target, mode)
--
-- The statement that takes a lock and returns how many things it locked.  Raises
-- 42P01, 22023 or what PostgreSQL says of a condition; a condition that is more
-- than a condition is refused as a cursor.
--
CREATE FUNCTION @extschema@._lock_statement(target text, mode text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_keys      text[] := regexp_match(target, '^\s*advisory\s*\(?\s*(-?\d{1,18})\s*'
                                               '(?:,\s*(-?\d{1,9})\s*)?\)?\s*$', 'i');
    v_rows      text[] := regexp_match(target, '^(.*?)\s+where\s+(.*)$', 'i');
    v_relation  regclass;
    v_statement text;
    v_line      record;
BEGIN
    IF v_keys IS NOT NULL THEN
        PERFORM @extschema@._require_mode(mode, ARRAY['ACCESS EXCLUSIVE', 'EXCLUSIVE', 'SHARE']);
        RETURN format('SELECT 1::bigint FROM pg_catalog.pg_advisory_xact_lock%s(%s)',
                      CASE mode WHEN 'SHARE' THEN '_shared' ELSE '' END,
                      array_to_string(v_keys, ', '));
    END IF;
    v_relation := @extschema@._require_table(COALESCE(v_rows[1], target));
    IF v_rows IS NULL THEN
        PERFORM @extschema@._require_mode(mode, ARRAY[
            'ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE',
            'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE']);
        RETURN format('LOCK TABLE %s IN %s MODE; SELECT 1::bigint', v_relation, mode);
    END IF;
    PERFORM @extschema@._require_mode(mode, ARRAY['ACCESS EXCLUSIVE', 'UPDATE', 'NO KEY UPDATE',
                                                  'SHARE', 'KEY SHARE']);
    v_statement := format(E'SELECT count(*) FROM (SELECT FROM ONLY %s WHERE (%s\n) FOR %s) AS r',
                          v_relation, v_rows[2],
                          CASE mode WHEN 'ACCESS EXCLUSIVE' THEN 'UPDATE' ELSE mode END);
    FOR v_line IN EXECUTE 'EXPLAIN ' || v_statement LOOP
        EXIT;
    END LOOP;
    RETURN v_statement;
END;
$function$;
COMMENT ON FUNCTION @extschema@._lock_statement(text, text) IS
    'Builds the statement that takes a lock on a table, on rows or on advisory keys.';

CREATE FUNCTION @extschema@._require_mode(mode text, modes text[])
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF mode <> ALL (modes) THEN
        RAISE EXCEPTION 'invalid lock mode "%"', mode
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('Here the modes are %s.', array_to_string(modes, ', '));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_mode(text, text[]) IS
    'Raises 22023 for a lock mode that the target does not have.';

CREATE FUNCTION @extschema@._require_table(name text)
RETURNS regclass
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation oid;
BEGIN
    SELECT c.oid INTO v_relation
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE btrim(name) IN (format('%I.%I', n.nspname, c.relname),
                           format('%s.%s', n.nspname, c.relname))
       AND c.relkind IN ('r', 'p')
     ORDER BY btrim(name) = format('%I.%I', n.nspname, c.relname) DESC
     LIMIT 1;
    IF v_relation IS NULL THEN
        RAISE EXCEPTION 'table "%" does not exist', name
            USING ERRCODE = 'undefined_table',
                  HINT = 'A target is SCHEMA.TABLE, SCHEMA.TABLE WHERE condition, or advisory KEY.';
    END IF;
    RETURN v_relation;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_table(text) IS
    'Finds a table by its schema and name, quoted or not, or raises 42P01.';
