-- category: property
-- A conflict that was decided for the source keeps what the target has.
CREATE OR REPLACE FUNCTION pggit._resolution(
    source pggit.branches, target pggit.branches, conflict_object text, source_state text,
    target_state text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE c.resolution_strategy WHEN 'SOURCE' THEN 'take' ELSE 'keep' END
      FROM pggit.merge_conflicts AS c
     WHERE (c.branch_a, c.branch_b, c.conflict_object)
         = (source.name, target.name, _resolution.conflict_object)
       AND c.resolved_at IS NOT NULL
       AND c.branch_a_value ->> 'state' IS NOT DISTINCT FROM source_state
       AND c.branch_b_value ->> 'state' IS NOT DISTINCT FROM target_state
     ORDER BY c.id DESC
     LIMIT 1;
$function$;
