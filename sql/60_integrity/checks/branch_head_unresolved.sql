--
-- What branch_head_missing leaves out: a SHA-256 of its own that some releases
-- of pgGit give a new branch, where no head of any branch is a commit.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_head_unresolved', 'branch', 'warning', false, 'pggit.branches',
    'the head that a branch is created with is a commit',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,pggit.commits.hash}',
    'Set head_commit_hash to the newest commit of the branch, or to NULL.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" was created with head "%s", which is no commit', b.name,
              b.head_commit_hash)
  FROM ONLY pggit.branches AS b
 WHERE b.head_commit_hash ~ '^[0-9a-f]{64}$'
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS k
                     JOIN ONLY pggit.commits AS c ON c.hash = k.head_commit_hash)
$query$);

-- A branch without commits of its own is where its parent is.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_head_unresolved', 'update', 'pggit.branches',
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
