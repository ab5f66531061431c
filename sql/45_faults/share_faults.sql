--
-- _share_faults(add, drop)
--
-- Adds a fault to the shared ones or drops some; those that cannot strike any
-- more go too.  Writes: _sealed_faults() and the three filters, see
-- 20_tables/shared_fault.sql.  Locks: an advisory lock until the end of the
-- transaction, so that no two sessions do it at once; the filters, which no
-- rollback takes back, then never hold back a fault that is committed.  pgGit does
-- not get to see the DDL.
--
CREATE FUNCTION @extschema@._share_faults(add jsonb DEFAULT '[]', drop bigint[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $function$
DECLARE
    v_shared jsonb;
    v_faults jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pggit_chaos'), hashtext('_share_faults'));
    v_shared := @extschema@._shared_faults();
    SELECT COALESCE(jsonb_agg(f.fault ORDER BY f.fault -> 'fault_id'), '[]') INTO v_faults
      FROM jsonb_array_elements(v_shared || add) AS f(fault)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::@extschema@._fault, f.fault) AS r
     WHERE r.fault_id <> ALL (drop)
       AND @extschema@._can_strike(r);
    IF v_faults <> v_shared THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION @extschema@._sealed_faults() RETURNS bytea '
                       'LANGUAGE sql STABLE RETURN %L::bytea',
                       CASE WHEN v_faults <> '[]' THEN @extschema@._seal(v_faults::text) END);
    END IF;
    PERFORM @extschema@._filter_faults(v_faults);
END;
$function$;
COMMENT ON FUNCTION @extschema@._share_faults(jsonb, bigint[]) IS
    'Tells every session which faults are armed for it.';

--
-- _shared_faults()
--
-- The faults that are armed for other sessions, as an array of rows of _fault.
--
CREATE FUNCTION @extschema@._shared_faults()
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- PostgreSQL hears of what other sessions have replaced when it takes a lock on
    -- a relation.  This takes one, and no transaction keeps it.
    PERFORM pg_relation_is_updatable(0, false);
    RETURN COALESCE(@extschema@._unseal(@extschema@._sealed_faults())::jsonb, '[]');
END;
$function$;
COMMENT ON FUNCTION @extschema@._shared_faults() IS
    'Reads the faults that are armed for other sessions, as they are now.';

--
-- _filter_faults(faults), _rest()
--
-- Set the filters to what the given faults need; and those of failpoints and rows as
-- if they had never been set where no shared fault can strike any more, because all
-- have expired or arm() was rolled back.
-- Of scopes each bit is process ids; all of them are set for a database, a role or an
-- application.
--
-- _may_be_row(failpoint): whether a failpoint, or a pattern, can be one of a row.
--
CREATE FUNCTION @extschema@._may_be_row(failpoint text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT failpoint ~ '[*]|[.](before|after|commit)$';
$function$;
COMMENT ON FUNCTION @extschema@._may_be_row(text) IS
    'Answers whether a failpoint, or a pattern of failpoints, can be one of a row.';

CREATE FUNCTION @extschema@._filter_faults(faults jsonb)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval('@extschema@._shared_scopes', COALESCE(bit_or(
               CASE WHEN f.scope LIKE 'pid:%' THEN 1::bigint << f.pid % 62
                    ELSE 9223372036854775807
               END), 0)),
           setval('@extschema@._shared_failpoints', COALESCE(bit_or(
               CASE WHEN f.failpoint LIKE '%*%' THEN 9223372036854775807
                    ELSE @extschema@._bits(f.failpoint)
               END), 0), count(*) > 0),
           setval('@extschema@._shared_rows', 0,
                  COALESCE(bool_or(@extschema@._may_be_row(f.failpoint)), false))
      FROM jsonb_populate_recordset(NULL::@extschema@._fault, faults) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._filter_faults(jsonb) IS
    'Lets the hit path look closely where one of the given faults may strike, and rest elsewhere.';

CREATE FUNCTION @extschema@._rest()
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_sequence_last_value('@extschema@._shared_failpoints') > 0 THEN
        -- Whoever shares a fault holds the lock until it is committed.  The rollback
        -- is here to let go of the lock; it does not take the filters back.
        IF pg_try_advisory_xact_lock(hashtext('pggit_chaos'), hashtext('_share_faults'))
           AND NOT EXISTS (
               SELECT
                 FROM jsonb_populate_recordset(NULL::@extschema@._fault,
                                               @extschema@._shared_faults()) AS f
                WHERE @extschema@._can_strike(f)) THEN
            PERFORM @extschema@._filter_faults('[]');
        END IF;
        RAISE EXCEPTION 'the lock is let go' USING ERRCODE = 'PC998';
    END IF;
EXCEPTION
    WHEN SQLSTATE 'PC998' THEN
        NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._rest() IS
    'Lets the hit path rest where no shared fault can strike any more.';

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
