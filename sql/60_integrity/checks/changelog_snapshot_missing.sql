--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'changelog_snapshot_missing', 'temporal', 'error', true, 'pggit.temporal_changelog',
    'the snapshot of a recorded change exists',
    '{pggit.temporal_changelog.change_id,pggit.temporal_changelog.snapshot_id,'
    'pggit.temporal_snapshots.snapshot_id}',
    'Restore the snapshot from a backup, or delete the change.',
$query$
SELECT format('change_id=%s', g.change_id),
       format('change %s is of snapshot %s, which does not exist', g.change_id, g.snapshot_id)
  FROM ONLY pggit.temporal_changelog AS g
 WHERE g.snapshot_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.temporal_snapshots AS s
                    WHERE s.snapshot_id = g.snapshot_id)
$query$);
