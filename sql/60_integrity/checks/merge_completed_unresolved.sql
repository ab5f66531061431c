--
-- What was never resolved cannot be in what was merged. Some functions of pgGit
-- tell only how a conflict was resolved, and others when.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_completed_unresolved', 'merge', 'error', true, 'pggit.merge_history',
    'a completed merge has no conflict that is open',
    '{pggit.merge_history.id,pggit.merge_history.source_branch,pggit.merge_history.status,'
    'pggit.merge_conflicts.id,pggit.merge_conflicts.merge_id,pggit.merge_conflicts.resolved_at,'
    'pggit.merge_conflicts.resolution_strategy,pggit.merge_conflicts.auto_resolved}',
    'Resolve the conflict, or set the status of the merge back to awaiting_resolution.',
$query$
SELECT format('id=%s', m.id),
       format('merge of "%s" is completed, and conflict %s is open', m.source_branch, min(c.id))
  FROM ONLY pggit.merge_history AS m
  JOIN ONLY pggit.merge_conflicts AS c ON c.merge_id = m.id::text
 WHERE m.status = 'completed'
   AND c.resolved_at IS NULL
   AND c.resolution_strategy IS NULL
   AND c.auto_resolved IS NOT TRUE
 GROUP BY m.id, m.source_branch
$query$);
