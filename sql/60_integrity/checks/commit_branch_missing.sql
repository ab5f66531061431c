--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_branch_missing', 'commit', 'error', true, 'pggit.commits',
    'the branch of a commit exists',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or move the commit to the branch that it belongs to.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" is on branch %s, which does not exist', c.hash, c.branch_id)
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = c.branch_id)
$query$);
