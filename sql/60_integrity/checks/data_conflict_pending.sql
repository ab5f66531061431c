--
-- pgGit sets both in one statement.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'data_conflict_pending', 'data', 'error', true, 'pggit.data_conflicts',
    'a conflict of data that was resolved says how',
    '{pggit.data_conflicts.conflict_id,pggit.data_conflicts.table_name,'
    'pggit.data_conflicts.resolution,pggit.data_conflicts.resolved_at}',
    'Restore the resolution from a backup, or set resolved_at to NULL.',
$query$
SELECT format('conflict_id=%s', d.conflict_id),
       format('conflict in table "%s" was resolved at %s, and its resolution is %s',
              d.table_name, d.resolved_at, COALESCE(d.resolution, 'none'))
  FROM ONLY pggit.data_conflicts AS d
 WHERE d.resolved_at IS NOT NULL
   AND (d.resolution IS NULL OR d.resolution IN ('pending', 'PENDING', 'CONFLICT_PENDING'))
$query$);
