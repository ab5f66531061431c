--
-- What a merge has to do, object by object: the three-way rule.
--
--     source = target           nothing
--     source = base             keep what the target has
--     target = base             take what the source has
--     else                      conflict
--
-- A state is the content hash, NULL where there is no such object.  The base is
-- the state when the two branches were last the same: when one of them was
-- last merged into the other, or else when the younger was created.
--

-- The state of an object when history had come as far as history_id.
CREATE FUNCTION pggit._state_at(object_id integer, history_id integer)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN past.id IS NOT NULL THEN past.new_hash
                WHEN future.id IS NOT NULL THEN future.old_hash
                WHEN o.is_active THEN o.content_hash END
      FROM pggit.objects AS o
      LEFT JOIN LATERAL (
           SELECT h.id, h.new_hash
             FROM pggit.history AS h
            WHERE h.object_id = o.id AND h.id <= history_id
            ORDER BY h.id DESC LIMIT 1) AS past ON true
      LEFT JOIN LATERAL (
           SELECT h.id, h.old_hash
             FROM pggit.history AS h
            WHERE h.object_id = o.id AND h.id > history_id
            ORDER BY h.id LIMIT 1) AS future ON true
     WHERE o.id = object_id;
$function$;

-- On which branch the base is read, and how far history had come.
CREATE FUNCTION pggit._merge_base(source pggit.branches, target pggit.branches)
RETURNS TABLE (branch_id integer, history_id integer)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT m.branch_id, m.history_id
      FROM (SELECT (c.metadata ->> 'merged_branch_id')::integer,
                   (c.metadata ->> 'merged_history_id')::integer, c.id
              FROM pggit.commits AS c
             WHERE c.metadata ? 'merged_branch_id'
               AND (c.branch_id, c.metadata ->> 'merged_branch_id')
                   IN ((target.id, source.id::text), (source.id, target.id::text))
             UNION ALL
            SELECT CASE target.parent_branch_id WHEN source.id THEN target.id ELSE source.id END,
                   0, 0) AS m(branch_id, history_id, commit_id)
     ORDER BY m.commit_id DESC
     LIMIT 1;
$function$;

-- How somebody decided a conflict: it stays decided until a side changes.
CREATE FUNCTION pggit._resolution(
    source pggit.branches, target pggit.branches, conflict_object text, source_state text,
    target_state text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE c.resolution_strategy WHEN 'TAKE_SOURCE' THEN 'take' ELSE 'keep' END
      FROM pggit.merge_conflicts AS c
     WHERE (c.branch_a, c.branch_b, c.conflict_object)
         = (source.name, target.name, _resolution.conflict_object)
       AND c.resolved_at IS NOT NULL
       AND c.branch_a_value ->> 'state' IS NOT DISTINCT FROM source_state
       AND c.branch_b_value ->> 'state' IS NOT DISTINCT FROM target_state
     ORDER BY c.id DESC
     LIMIT 1;
$function$;

CREATE FUNCTION pggit._merge_plan(source pggit.branches, target pggit.branches)
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
                    WHEN p.target_state IS NOT DISTINCT FROM p.base_state THEN 'take'
                    ELSE COALESCE(pggit._resolution(source, target,
                                                    p.object_type || ' ' || p.full_name,
                                                    p.source_state, p.target_state), 'conflict')
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
