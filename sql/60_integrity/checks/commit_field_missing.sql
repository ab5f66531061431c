--
-- pgGit fills all of them, an empty message included, and none of its columns
-- is NOT NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_field_missing', 'commit', 'error', true, 'pggit.commits',
    'a commit has a message, an author, a committer and a time',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.message,pggit.commits.author,'
    'pggit.commits.committer,pggit.commits.committed_at}',
    'Restore the missing values from a backup.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" has no %s', c.hash,
              concat_ws(', no ',
                        CASE WHEN c.message IS NULL THEN 'message' END,
                        CASE WHEN c.author IS NULL THEN 'author' END,
                        CASE WHEN c.committer IS NULL THEN 'committer' END,
                        CASE WHEN c.committed_at IS NULL THEN 'time' END))
  FROM ONLY pggit.commits AS c
 WHERE c.message IS NULL
    OR c.author IS NULL
    OR c.committer IS NULL
    OR c.committed_at IS NULL
$query$);
