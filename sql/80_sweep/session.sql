--
-- What no rollback takes back: sequences and session advisory locks.
--
-- _isolate_sequences(), _sequences()
--
-- The positions of all sequences but ours, by OID.  Putting them back before each
-- run gives every run the same ids.  They are rewritten first: nobody else draws
-- an id that would be put back under him, and they go with a rollback, and so with
-- a cancellation or a death in the middle.
--
CREATE FUNCTION @extschema@._isolate_sequences()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._rewrite_sequences();
END;
$function$;
COMMENT ON FUNCTION @extschema@._isolate_sequences() IS
    'Keeps all sequences but ours for this transaction, and makes them go with its rollback.';

CREATE FUNCTION @extschema@._rewrite_sequences()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $function$
    SELECT @extschema@._isolate_sequence(c.oid)
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@'
     ORDER BY c.oid;
$function$;
COMMENT ON FUNCTION @extschema@._rewrite_sequences() IS
    'Rewrites all sequences but ours, unseen by pgGit.';

CREATE FUNCTION @extschema@._sequences()
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_query     text;
    v_positions jsonb;
BEGIN
    SELECT string_agg(format('SELECT %s AS sequence, last_value, is_called FROM %s',
                             c.oid, c.oid::regclass), ' UNION ALL ')
      INTO v_query
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@';
    IF v_query IS NULL THEN
        RETURN '{}';
    END IF;
    EXECUTE 'SELECT jsonb_object_agg(s.sequence, jsonb_build_array(s.last_value, s.is_called))'
            '  FROM (' || v_query || ') AS s'
       INTO v_positions;
    RETURN v_positions;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sequences() IS
    'Reads the positions of all sequences but ours.';

--
-- _session_state(), _leaks(before), _put_back_sequences(before), _release_locks(before)
--
-- What of it there is now; what of it a failed statement has changed; and the way
-- back.  Of a sequence every run asks only how far it has come, which takes no
-- query.  One that went on is no leak, one that went back is.  A setting that was
-- changed goes back with the transaction that fails.
--
CREATE FUNCTION @extschema@._session_state()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object('locks', @extschema@._advisory_locks(),
                              'sequences', @extschema@._sequences());
$function$;
COMMENT ON FUNCTION @extschema@._session_state() IS
    'Reads what of this session no rollback takes back.';

CREATE FUNCTION @extschema@._advisory_locks()
RETURNS jsonb
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                       'classid', k.classid, 'objid', k.objid, 'objsubid', k.objsubid,
                       'mode', k.mode)), '[]')
              FROM pg_catalog.pg_locks AS k
             WHERE k.locktype = 'advisory'
               AND k.pid = pg_backend_pid());
END;
$function$;
COMMENT ON FUNCTION @extschema@._advisory_locks() IS
    'Lists the advisory locks that this session holds.';

CREATE FUNCTION @extschema@._leaks(before jsonb)
RETURNS text[]
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN ARRAY(
        SELECT format('advisory lock %s %s in %s', l.value ->> 'classid', l.value ->> 'objid',
                      l.value ->> 'mode')
          FROM jsonb_array_elements(@extschema@._advisory_locks()) AS l
         WHERE NOT before -> 'locks' @> jsonb_build_array(l.value)
         UNION ALL
        SELECT format('sequence %s went back to %s', s.key::oid::regclass,
                      COALESCE(n.last_value::text, 'its start'))
          FROM jsonb_each(before -> 'sequences') AS s
         CROSS JOIN LATERAL pg_sequence_last_value(s.key::oid) AS n(last_value)
         WHERE (s.value ->> 1)::boolean
           AND COALESCE(n.last_value, '-9223372036854775808') < (s.value ->> 0)::bigint);
END;
$function$;
COMMENT ON FUNCTION @extschema@._leaks(jsonb) IS
    'Lists what outlived a rollback since an earlier _session_state().';

CREATE FUNCTION @extschema@._put_back_sequences(before jsonb)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM setval(s.key::oid, (s.value ->> 0)::bigint, (s.value ->> 1)::boolean)
       FROM jsonb_each(before -> 'sequences') AS s
      WHERE pg_sequence_last_value(s.key::oid) IS DISTINCT FROM
            CASE WHEN (s.value ->> 1)::boolean THEN (s.value ->> 0)::bigint END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._put_back_sequences(jsonb) IS
    'Puts the sequences back to the positions of an earlier _session_state().';

CREATE FUNCTION @extschema@._release_locks(before jsonb)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_lock     jsonb;
    v_released boolean;
BEGIN
    FOR v_lock IN
        SELECT l.value
          FROM jsonb_array_elements(@extschema@._advisory_locks()) AS l
         WHERE NOT before -> 'locks' @> jsonb_build_array(l.value)
    LOOP
        -- A session may have taken it several times over.
        LOOP
            EXECUTE format('SELECT pg_advisory_unlock%s(%s)',
                           CASE v_lock ->> 'mode' WHEN 'ShareLock' THEN '_shared' ELSE '' END,
                           CASE v_lock ->> 'objsubid'
                               WHEN '2' THEN format('%s::bigint::bit(32)::integer, '
                                                    '%s::bigint::bit(32)::integer',
                                                    v_lock ->> 'classid', v_lock ->> 'objid')
                               ELSE format('(%s::bigint << 32) | %s::bigint',
                                           v_lock ->> 'classid', v_lock ->> 'objid')
                           END)
               INTO v_released;
            EXIT WHEN NOT v_released;
        END LOOP;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._release_locks(jsonb) IS
    'Releases the session advisory locks taken since an earlier _session_state().';
