--
-- Whoever walks up from there never arrives. Where one of them is a head, the
-- other is its child as well.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_cycle', 'commit',
    'two commits are each other''s parents',
    '{commit_parent_cycle,branch_head_behind}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'update', 'pggit.commits',
$query$
WITH pair AS (
    SELECT c.ctid, c.id, c.hash
      FROM ONLY pggit.commits AS c
     WHERE NOT EXISTS (SELECT
                         FROM ONLY pggit.commits AS p
                        WHERE p.hash = c.parent_commit_hash
                          AND p.parent_commit_hash = c.hash)
       AND c.id BETWEEN $2 AND $3
     ORDER BY c.id
     LIMIT 2)
SELECT a.ctid AS victim,
       jsonb_build_object('parent_commit_hash', b.hash) AS change
  FROM pair AS a
  JOIN pair AS b ON b.id <> a.id
$query$);
