--
-- Released pgGits never move a head; main begins without one, and so keeps
-- none.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_head_unset', 'branch', 'warning', false, 'pggit.branches',
    'a branch that has commits has a head',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,'
    'pggit.commits.branch_id}',
    'Set head_commit_hash to the newest commit of the branch.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has commits, and no head', b.name)
  FROM ONLY pggit.branches AS b
 WHERE b.head_commit_hash IS NULL
   AND EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.branch_id = b.id)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_head_unset', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('head_commit_hash',
              (SELECT c.hash
                 FROM ONLY pggit.commits AS c
                WHERE c.branch_id = t.id
                ORDER BY c.id DESC
                LIMIT 1)) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
