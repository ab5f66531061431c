--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_branch_dangling', 'commit',
    'a commit is on a branch that does not exist',
    '{commit_branch_missing}',
    '{pggit.commits.id,pggit.commits.branch_id,pggit.branches.id}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('branch_id', (SELECT max(b.id) + 1000
                                          FROM ONLY pggit.branches AS b)) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.branch_id IN (SELECT b.id FROM ONLY pggit.branches AS b)
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
