--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'snapshot_branch_missing', 'temporal', 'error', true, 'pggit.temporal_snapshots',
    'the branch of a snapshot exists',
    '{pggit.temporal_snapshots.snapshot_id,pggit.temporal_snapshots.snapshot_name,'
    'pggit.temporal_snapshots.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or delete the snapshot.',
$query$
SELECT format('snapshot_id=%s', s.snapshot_id),
       format('snapshot "%s" is of branch %s, which does not exist', s.snapshot_name, s.branch_id)
  FROM ONLY pggit.temporal_snapshots AS s
 WHERE s.branch_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.id = s.branch_id)
$query$);
