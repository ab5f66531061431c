--
-- A commit without a hash can be nobody's parent and no branch's head.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_hash_empty', 'commit', 'error', true, 'pggit.commits',
    'a commit has a hash',
    '{pggit.commits.id,pggit.commits.hash}',
    'Restore the hash from a backup: nothing else in pgGit holds it.',
$query$
SELECT format('id=%s', c.id),
       format('commit %s has an empty hash', c.id)
  FROM ONLY pggit.commits AS c
 WHERE btrim(c.hash) = ''
$query$);
