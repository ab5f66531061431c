--
-- Released pgGits record no parent at all, and so the commits of a branch are
-- no chain.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_parent_unrecorded', 'commit', 'warning', false, 'pggit.commits',
    'a commit names its parent, but the first of a branch',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.branch_id,'
    'pggit.commits.parent_commit_hash}',
    'Set parent_commit_hash to the commit before it on the branch.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" names no parent, and is not the first of branch %s', c.hash,
              c.branch_id)
  FROM ONLY pggit.commits AS c
  JOIN (SELECT f.branch_id, min(f.id) AS id
          FROM ONLY pggit.commits AS f
         GROUP BY f.branch_id) AS f ON f.branch_id = c.branch_id
 WHERE c.parent_commit_hash IS NULL
   AND c.id > f.id
$query$);

-- The commit before it on its branch, none for the first.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'commit_parent_unrecorded', 'update', 'pggit.commits',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_commit_hash',
              (SELECT p.hash
                 FROM ONLY pggit.commits AS p
                WHERE p.branch_id = t.branch_id
                  AND p.id < t.id
                ORDER BY p.id DESC
                LIMIT 1)) AS change
  FROM finding AS f
  JOIN ONLY pggit.commits AS t ON f.row_identity = format('id=%s', t.id)
$query$);
