--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_parent_missing', 'commit', 'error', true, 'pggit.commits',
    'the parent of a commit is a commit',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'Restore the missing commit from a backup, or set parent_commit_hash to the commit that is '
    'the parent.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" names parent "%s", which does not exist', c.hash,
              c.parent_commit_hash)
  FROM ONLY pggit.commits AS c
 WHERE c.parent_commit_hash IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS p
                    WHERE p.hash = c.parent_commit_hash)
$query$);

-- The commit before it on its branch, none for the first.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'commit_parent_missing', 'update', 'pggit.commits',
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
