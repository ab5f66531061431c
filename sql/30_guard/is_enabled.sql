--
-- is_enabled()
--
-- Answers whether the owner of this database opted in.  Reads the catalogue and
-- not the setting: a session's own SET does not count, and a database made with
-- CREATE DATABASE ... TEMPLATE starts out disabled.  Writes: nothing.
--
CREATE FUNCTION @extschema@.is_enabled()
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(bool_or(lower(substr(o.setting, length('pggit_chaos.enabled=') + 1))
                            IN ('on', 'true', 'yes', '1')), false)
      FROM pg_catalog.pg_db_role_setting AS s
      JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
     CROSS JOIN LATERAL unnest(s.setconfig) AS o(setting)
     WHERE d.datname = current_database()
       AND s.setrole = 0
       AND o.setting LIKE 'pggit_chaos.enabled=%';
$function$;
COMMENT ON FUNCTION @extschema@.is_enabled() IS
    'Answers whether the owner of this database has run ALTER DATABASE ... SET pggit_chaos.enabled = on.';

--
-- _require_enabled()
--
-- Raises PC001 unless is_enabled().  Every function that changes anything calls
-- it first.
--
CREATE FUNCTION @extschema@._require_enabled()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT @extschema@.is_enabled() THEN
        RAISE EXCEPTION 'pggit_chaos is not enabled in database "%"', current_database()
            USING ERRCODE = 'PC001',
                  DETAIL = 'It breaks things on purpose, and so the owner of the database must opt in.',
                  HINT = format('ALTER DATABASE %I SET pggit_chaos.enabled = on;',
                                current_database());
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_enabled() IS
    'Raises PC001 with the statement to run unless the owner of this database opted in.';
