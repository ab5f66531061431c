--
-- pgGit has no foreign key here: it goes by name.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_history_branch_missing', 'merge', 'error', true, 'pggit.merge_history',
    'both branches of a merge exist',
    '{pggit.merge_history.id,pggit.merge_history.source_branch,pggit.merge_history.target_branch,'
    'pggit.branches.name}',
    'Restore the branch from a backup, or rename it back.',
$query$
SELECT format('id=%s', m.id),
       format('a merge names branch "%s", which does not exist', e.branch_name)
  FROM ONLY pggit.merge_history AS m
 CROSS JOIN LATERAL (VALUES (m.source_branch), (m.target_branch)) AS e(branch_name)
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.name = e.branch_name)
$query$);
