--
-- fault
--
-- The faults that are armed, their counters and what has become of them.
--
CREATE FUNCTION @extschema@._faults()
RETURNS TABLE (fault_id bigint, failpoint text, term text, scope text, state text, hits bigint,
               fired bigint, armed_at timestamptz, expires_at timestamptz, armed_by name)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.fault_id, f.failpoint, f.term, f.scope,
           CASE WHEN NOT @extschema@._can_strike(f) THEN 'expired'
                WHEN c.hits >= f.end_hit
                     OR (c.hits >= f.start_hit
                         AND (SELECT s.completed
                                FROM @extschema@._step_at(f.program, f.seed, f.failpoint,
                                                          c.hits - f.start_hit + 1) AS s))
                     THEN 'completed'
                ELSE 'armed'
           END,
           c.hits, c.fired, f.armed_at, f.expires_at, f.armed_by
      FROM @extschema@._fault AS f
     CROSS JOIN LATERAL (
           SELECT COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'hits')), 0),
                  COALESCE(pg_sequence_last_value(@extschema@._counter(f.slot, 'fired')), 0)
           ) AS c(hits, fired);
$function$;
COMMENT ON FUNCTION @extschema@._faults() IS
    'Lists the faults with their counters and states.';

CREATE VIEW @extschema@.fault AS
SELECT f.fault_id, f.failpoint, f.term, f.scope, f.state, f.hits, f.fired, f.armed_at,
       f.expires_at, f.armed_by
  FROM @extschema@._faults() AS f;
COMMENT ON VIEW @extschema@.fault IS
    'The faults: armed, completed (nothing is left to strike) or expired, with hits and fired.';

--
-- failpoint
--
-- Every failpoint, with the hits that the faults armed at it have counted.
--
CREATE VIEW @extschema@.failpoint AS
SELECT p.failpoint, p.kind, p.object, p.phase,
       COALESCE((SELECT sum(f.hits) FROM @extschema@._faults() AS f
                  WHERE f.failpoint = p.failpoint), 0)::bigint AS hits
  FROM @extschema@._failpoints() AS p;
COMMENT ON VIEW @extschema@.failpoint IS
    'The failpoints of the hooks in place, with the hits that the faults armed at each have counted.';
