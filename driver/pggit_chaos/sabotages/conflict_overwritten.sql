-- category: property
-- Of two changes of an object a merge takes the source branch's, and tells of no conflict.
CREATE OR REPLACE FUNCTION pggit._merge_plan(source pggit.branches, target pggit.branches)
RETURNS TABLE (source_id integer, target_id integer, object_type pggit.object_type, full_name text,
               base_state text, source_state text, target_state text, verdict text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH pair AS (
        SELECT s.id AS source_id, t.id AS target_id, s.parent_id, s.object_type, s.full_name,
               pggit._state_at(CASE b.branch_id WHEN source.id THEN s.id ELSE t.id END,
                               b.history_id) AS base_state,
               CASE WHEN s.is_active THEN s.content_hash END AS source_state,
               CASE WHEN t.is_active THEN t.content_hash END AS target_state
          FROM pggit.objects AS s
         CROSS JOIN pggit._merge_base(source, target) AS b
          LEFT JOIN pggit.objects AS t
            ON (t.object_type, t.schema_name, t.object_name)
             = (s.object_type, s.schema_name, s.object_name)
           AND t.branch_id = target.id
         WHERE s.branch_id = source.id
           AND s.object_type <> 'COLUMN'),
    judged AS (
        SELECT p.*,
               CASE WHEN p.source_state IS NOT DISTINCT FROM p.target_state THEN 'same'
                    WHEN p.source_state IS NOT DISTINCT FROM p.base_state THEN 'keep'
                    ELSE 'take'
               END AS verdict
          FROM pair AS p)
    SELECT j.source_id, j.target_id, j.object_type, j.full_name, j.base_state, j.source_state,
           j.target_state,
           -- An index goes where its table goes.
           CASE WHEN j.object_type = 'INDEX' AND j.source_state IS NOT NULL
                     AND CASE t.verdict WHEN 'take' THEN t.source_state
                         ELSE t.target_state END IS NULL
                THEN 'keep'
                ELSE j.verdict END
      FROM judged AS j
      LEFT JOIN judged AS t ON t.source_id = j.parent_id;
$function$;
