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

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_head_behind', 'update', 'pggit.branches',
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
