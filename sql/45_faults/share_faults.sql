--
-- _share_faults(add, drop)
--
-- Adds a fault to the shared ones or drops some; those that cannot strike any
-- more go too.  Writes: _shared_faults() and both _armed_for_others(), see
-- 20_tables/shared_fault.sql.  Locks: an advisory lock until
-- the end of the transaction, so that two sessions do not replace them at once.
-- pgGit does not get to see the DDL.
--
CREATE FUNCTION @extschema@._share_faults(add jsonb DEFAULT '[]', drop bigint[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $function$
DECLARE
    v_faults jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pggit_chaos'), hashtext('_share_faults'));
    SELECT COALESCE(jsonb_agg(f.fault ORDER BY f.fault -> 'fault_id'), '[]') INTO v_faults
      FROM jsonb_array_elements(@extschema@._shared_faults() || add) AS f(fault)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::@extschema@._fault, f.fault) AS r
     WHERE r.fault_id <> ALL (drop)
       AND @extschema@._can_strike(r);
    IF v_faults <> @extschema@._shared_faults() THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._shared_faults() RETURNS jsonb '
                       'LANGUAGE sql STABLE RETURN %L::jsonb', v_faults);
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._armed_for_others() RETURNS boolean '
                       'LANGUAGE sql STABLE RETURN %L::boolean', v_faults <> '[]');
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._armed_for_others(failpoint text) '
                       'RETURNS boolean LANGUAGE sql STABLE RETURN %s',
                       @extschema@._shared_condition(v_faults));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._share_faults(jsonb, bigint[]) IS
    'Tells every session which faults are armed for it.';

--
-- _shared_condition(faults), _scope_condition(fault)
--
-- The same question as _scope_covers() asks, as an expression over failpoint that
-- the planner can inline.  It goes no further than failpoint and scope: the rest
-- is for _armed_at().
--
CREATE FUNCTION @extschema@._shared_condition(faults jsonb)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(string_agg(format('failpoint LIKE %L', f.pattern)
                               || @extschema@._scope_condition(f), ' OR '), 'false')
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, faults) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._shared_condition(jsonb) IS
    'Writes the condition under which one of the shared faults may strike in a session.';

CREATE FUNCTION @extschema@._scope_condition(fault @extschema@._fault)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE split_part(fault.scope, ':', 1)
               WHEN 'database' THEN ''
               WHEN 'role' THEN format(' AND session_user = %L', substr(fault.scope, 6))
               WHEN 'application'
                   THEN format(' AND current_setting(''application_name'') = %L',
                               substr(fault.scope, 13))
               ELSE format(' AND pg_backend_pid() = %s', fault.pid)
           END;
$function$;
COMMENT ON FUNCTION @extschema@._scope_condition(@extschema@._fault) IS
    'Writes the condition under which a session is one that a shared fault strikes in.';

--
-- _known_faults()
--
-- What may have to be disarmed or woken: the faults that this transaction sees,
-- and the shared ones, which strike whether it sees their rows or not.
--
CREATE FUNCTION @extschema@._known_faults()
RETURNS SETOF @extschema@._fault
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.* FROM @extschema@._fault AS f
     UNION
    SELECT f.*
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, @extschema@._shared_faults()) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._known_faults() IS
    'Lists the faults that this transaction sees and those that are shared.';

--
-- _can_strike(fault), _incarnation(), _database()
--
-- Whether a fault can still strike: it is not disarmed, not expired, its session
-- lives, and database and server are those that it was armed on.  A crash takes every
-- session but not the rows of _fault; the checkpointer is new after it, and its
-- start is what tells one incarnation of the server from the next.
--
CREATE FUNCTION @extschema@._can_strike(fault @extschema@._fault)
RETURNS boolean
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT fault.expires_at > clock_timestamp()
           AND NOT @extschema@._is_disarmed(fault.fault_id, fault.slot)
           AND fault.database = @extschema@._database()
           AND fault.incarnation = @extschema@._incarnation()
           AND (fault.pid IS NULL OR @extschema@._is_alive(fault.pid, fault.backend_start));
$function$;
COMMENT ON FUNCTION @extschema@._can_strike(@extschema@._fault) IS
    'Answers whether a fault can still strike.';

CREATE FUNCTION @extschema@._incarnation()
RETURNS timestamptz
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE((SELECT a.backend_start
                       FROM pg_catalog.pg_stat_activity AS a
                      WHERE a.backend_type = 'checkpointer'),
                    pg_postmaster_start_time());
$function$;
COMMENT ON FUNCTION @extschema@._incarnation() IS
    'Tells this run of the server from those before a crash or a restart.';

CREATE FUNCTION @extschema@._database()
RETURNS oid
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database();
$function$;
COMMENT ON FUNCTION @extschema@._database() IS
    'Tells this database from its copies.';
