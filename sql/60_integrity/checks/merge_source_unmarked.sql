--
-- A released pgGit completes a merge and leaves the branch as it was.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_source_unmarked', 'merge', 'warning', false, 'pggit.merge_history',
    'the source of a completed merge is merged, or was committed to since',
    '{pggit.merge_history.id,pggit.merge_history.source_branch,pggit.merge_history.status,'
    'pggit.merge_history.completed_at,pggit.branches.id,pggit.branches.name,'
    'pggit.branches.status,pggit.commits.branch_id,pggit.commits.committed_at}',
    'Set the status of the branch to MERGED, with the time and author of the merge.',
$query$
SELECT format('id=%s', m.id),
       format('merge of "%s" is completed, and the branch has status %s', m.source_branch,
              b.status)
  FROM ONLY pggit.merge_history AS m
  JOIN ONLY pggit.branches AS b ON b.name = m.source_branch
 WHERE m.status = 'completed'
   AND b.name <> 'main'
   AND b.status NOT IN ('MERGED', 'DELETED')
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS c
                    WHERE c.branch_id = b.id
                      AND c.committed_at >= m.completed_at)
$query$);
