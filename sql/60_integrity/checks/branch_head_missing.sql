--
-- Some releases of pgGit never move a head, and give a new branch a SHA-256
-- that is no commit. Such a head counts only where another one resolves.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_head_missing', 'branch', 'error', true, 'pggit.branches',
    'the head of a branch is a commit',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,pggit.commits.hash}',
    'Restore the missing commit from a backup, or set head_commit_hash to the newest commit of '
    'the branch.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has head "%s", which does not exist', b.name, b.head_commit_hash)
  FROM ONLY pggit.branches AS b
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.hash = b.head_commit_hash)
   AND b.head_commit_hash IS NOT NULL
   AND (b.head_commit_hash !~ '^[0-9a-f]{64}$'
        OR EXISTS (SELECT
                     FROM ONLY pggit.branches AS k
                     JOIN ONLY pggit.commits AS c ON c.hash = k.head_commit_hash))
$query$);

-- A branch without commits of its own is where its parent is.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_head_missing', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('head_commit_hash', COALESCE(
              (SELECT c.hash
                 FROM ONLY pggit.commits AS c
                WHERE c.branch_id = t.id
                ORDER BY c.id DESC
                LIMIT 1),
              (SELECT c.hash
                 FROM ONLY pggit.branches AS p
                 JOIN ONLY pggit.commits AS c ON c.hash = p.head_commit_hash
                WHERE p.id = t.parent_branch_id))) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
