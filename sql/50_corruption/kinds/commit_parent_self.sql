--
-- The shortest of all cycles: whoever walks up from there never arrives. Where
-- the commit is a head, it is its own child as well. Where a head has been left behind
-- already, what tells of it is left as it is.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_self', 'commit',
    'a commit is its own parent',
    '{commit_parent_cycle,branch_head_behind}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.branch_id,'
    'pggit.commits.parent_commit_hash,pggit.branches.id,pggit.branches.head_commit_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('parent_commit_hash', c.hash) AS change
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS p
                    WHERE p.hash = c.parent_commit_hash
                      AND p.parent_commit_hash = c.hash)
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = c.branch_id
                      AND b.head_commit_hash = c.parent_commit_hash)
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
