--
-- Where heads or parents are not kept there is nothing to find.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_head_behind', 'branch', 'error', true, 'pggit.branches',
    'the head of a branch is its newest commit',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,'
    'pggit.commits.hash,pggit.commits.branch_id,pggit.commits.parent_commit_hash}',
    'Set head_commit_hash to the newest commit of the branch.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has head "%s", which is the parent of "%s" on the same branch',
              b.name, b.head_commit_hash, min(c.hash))
  FROM ONLY pggit.branches AS b
  JOIN ONLY pggit.commits AS c
    ON c.parent_commit_hash = b.head_commit_hash AND c.branch_id = b.id
 GROUP BY b.id, b.name, b.head_commit_hash
$query$);
