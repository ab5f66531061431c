--
-- corruption
--
-- What was done to this database, and whether it was healed.
--
CREATE VIEW @extschema@.corruption AS
SELECT c.corruption_id,
       c.kind,
       CASE WHEN c.healed_at IS NULL THEN 'present' ELSE 'healed' END AS state,
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
    'The corruptions that were done here, what they damaged, and whether they are still present.';
