--
-- What no rollback takes back: sequences, session advisory locks, settings.
--
-- _isolate_sequences(), _sequences(), _set_sequences(positions), _last_values()
--
-- The positions of all sequences but ours, and the way back to them.  Putting
-- them back before each run gives every run the same ids.  They are rewritten
-- first: nobody else draws an id that would be put back under him, and they go
-- with a rollback, and so with a cancellation or a death in the middle.  What is
-- asked at each run is only how far they have come: that takes no query over all.
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
    SELECT string_agg(format('SELECT %L AS name, last_value, is_called FROM %s',
                             c.oid::regclass, c.oid::regclass), ' UNION ALL ')
      INTO v_query
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@';
    IF v_query IS NULL THEN
        RETURN '{}';
    END IF;
    EXECUTE 'SELECT jsonb_object_agg(s.name, jsonb_build_array(s.last_value, s.is_called)) FROM ('
            || v_query || ') AS s'
       INTO v_positions;
    RETURN v_positions;
END;
$function$;
COMMENT ON FUNCTION @extschema@._sequences() IS
    'Reads the positions of all sequences but ours.';

CREATE FUNCTION @extschema@._set_sequences(positions jsonb)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(p.key::regclass, (p.value ->> 0)::bigint, (p.value ->> 1)::boolean)
      FROM jsonb_each(positions) AS p
      JOIN jsonb_each(@extschema@._last_values()) AS n ON n.key = p.key
     WHERE NULLIF(n.value, 'null') IS DISTINCT FROM
           CASE WHEN (p.value ->> 1)::boolean THEN p.value -> 0 END;
$function$;
COMMENT ON FUNCTION @extschema@._set_sequences(jsonb) IS
    'Puts sequences back to the positions of an earlier _sequences().';

CREATE FUNCTION @extschema@._last_values()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_object_agg(c.oid::regclass, pg_sequence_last_value(c.oid)), '{}')
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S'
       AND c.relpersistence <> 't'
       AND n.nspname <> '@extschema@';
$function$;
COMMENT ON FUNCTION @extschema@._last_values() IS
    'Reads the last value of all sequences but ours, null where there is none yet.';

--
-- _session_state(settings), _leaks(before), _release_locks(before)
--
-- The advisory locks that this session holds, its settings (among the custom
-- ones those named) and the sequences; what of it a failed statement has
-- changed; and the way back for the locks.  A sequence that went on is no leak,
-- one that went back is.
--
CREATE FUNCTION @extschema@._session_state(settings text[])
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object(
        'named', to_jsonb(settings),
        'locks', @extschema@._advisory_locks(),
        'settings', (SELECT COALESCE(jsonb_object_agg(s.name, s.setting), '{}')
                       FROM (SELECT g.name, g.setting
                               FROM pg_catalog.pg_settings AS g
                              WHERE g.source = 'session'
                              UNION
                             SELECT c.name, current_setting(c.name, true)
                               FROM unnest(settings) AS c(name)) AS s),
        'sequences', @extschema@._last_values());
$function$;
COMMENT ON FUNCTION @extschema@._session_state(text[]) IS
    'Reads what of this session no rollback takes back.';

CREATE FUNCTION @extschema@._advisory_locks()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_agg(to_jsonb(l)), '[]')
      FROM (SELECT k.classid, k.objid, k.objsubid, k.mode
              FROM pg_catalog.pg_locks AS k
             WHERE k.locktype = 'advisory'
               AND k.pid = pg_backend_pid()) AS l;
$function$;
COMMENT ON FUNCTION @extschema@._advisory_locks() IS
    'Lists the advisory locks that this session holds.';

CREATE FUNCTION @extschema@._pggit_settings()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- PostgreSQL lists no custom settings: pgGit's own code says which it uses.
    SELECT ARRAY(SELECT DISTINCT m.match[1]
                   FROM pg_catalog.pg_proc AS p
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                  CROSS JOIN LATERAL regexp_matches(p.prosrc,
                            '(?:set_config|current_setting)\s*\(\s*''(pggit\w*\.\w+)''', 'gi')
                            AS m(match)
                  WHERE n.nspname = ANY (@extschema@._pggit_schemas())
                    AND p.prosrc ~ 'set_config|current_setting');
$function$;
COMMENT ON FUNCTION @extschema@._pggit_settings() IS
    'Names the custom settings that the functions of pgGit read or write.';

CREATE FUNCTION @extschema@._leaks(before jsonb)
RETURNS text[]
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH now AS MATERIALIZED (
        SELECT @extschema@._session_state(
                   ARRAY(SELECT jsonb_array_elements_text(before -> 'named'))) AS state
    )
    SELECT ARRAY(
        SELECT format('advisory lock %s %s in %s', l.value ->> 'classid', l.value ->> 'objid',
                      l.value ->> 'mode')
          FROM now, jsonb_array_elements(now.state -> 'locks') AS l
         WHERE NOT before -> 'locks' @> jsonb_build_array(l.value)
         UNION ALL
        SELECT format('setting "%s" is now "%s"', s.key, s.value)
          FROM now, jsonb_each_text(now.state -> 'settings') AS s
         WHERE before -> 'settings' ->> s.key IS DISTINCT FROM s.value
         UNION ALL
        SELECT format('sequence %s went back to %s', q.key, COALESCE(q.value, 'its start'))
          FROM now, jsonb_each_text(now.state -> 'sequences') AS q
         WHERE COALESCE(q.value::bigint, '-9223372036854775808')
               < (before -> 'sequences' ->> q.key)::bigint);
$function$;
COMMENT ON FUNCTION @extschema@._leaks(jsonb) IS
    'Lists what outlived a rollback since an earlier _session_state().';

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
