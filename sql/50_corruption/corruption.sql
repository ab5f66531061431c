--
-- corruption, _is_repair(kind)
--
-- What was done to this database, and whether it was healed.  A repair is
-- recorded as one, because heal() undoes it; it is nothing to be healed of.
--
CREATE FUNCTION @extschema@._is_repair(kind text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT starts_with(kind, 'repair(');
$function$;
COMMENT ON FUNCTION @extschema@._is_repair(text) IS
    'Answers whether what is recorded as a corruption is the repair of a check.';

CREATE VIEW @extschema@.corruption AS
SELECT c.corruption_id,
       c.kind,
       CASE WHEN c.healed_at IS NOT NULL THEN 'healed'
            WHEN @extschema@._is_repair(c.kind) THEN 'repaired'
            ELSE 'present' END AS state,
       i.relation,
       i.rows,
       c.done_at
  FROM @extschema@._corruption AS c
 CROSS JOIN LATERAL (
       SELECT string_agg(DISTINCT i.object, ', ' ORDER BY i.object) AS relation,
              count(*) AS rows
         FROM @extschema@._corruption_image AS i
        WHERE i.corruption_id = c.corruption_id) AS i;
COMMENT ON VIEW @extschema@.corruption IS
    'The corruptions and repairs that were done here, what they touched, and whether that is undone.';
