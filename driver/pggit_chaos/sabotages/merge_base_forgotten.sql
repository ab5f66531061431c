-- category: property
-- A merge compares with the state from before the last merge of the same branches.
CREATE OR REPLACE FUNCTION pggit._merge_base(source pggit.branches, target pggit.branches)
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
     ORDER BY m.commit_id
     LIMIT 1;
$function$;
