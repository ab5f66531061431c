--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_conflict_branch_missing', 'merge', 'error', true, 'pggit.merge_conflicts',
    'the branches of a merge conflict exist',
    '{pggit.merge_conflicts.id,pggit.merge_conflicts.branch_a,pggit.merge_conflicts.branch_b,'
    'pggit.branches.name}',
    'Restore the branch from a backup, or rename it back.',
$query$
SELECT format('id=%s', m.id),
       format('merge conflict %s names branch "%s", which does not exist', m.id, e.branch_name)
  FROM ONLY pggit.merge_conflicts AS m
 CROSS JOIN LATERAL (VALUES (m.branch_a), (m.branch_b)) AS e(branch_name)
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.name = e.branch_name)
$query$);
