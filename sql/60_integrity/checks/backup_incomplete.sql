--
-- Constraints say so, and a constraint can be dropped, disabled or bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_incomplete', 'backup', 'error', true, 'pggit.backups',
    'a completed backup says when, and of which commit',
    '{pggit.backups.backup_id,pggit.backups.backup_name,pggit.backups.status,'
    'pggit.backups.completed_at,pggit.backups.commit_hash,pggit.commits.hash}',
    'Do not rely on the backup. Restore its row from another one, or set its status to failed.',
$query$
SELECT format('backup_id=%s', b.backup_id),
       format('backup "%s" is completed, and %s', b.backup_name,
              CASE WHEN b.completed_at IS NULL THEN 'nobody knows when'
                   WHEN b.commit_hash IS NULL THEN 'names no commit'
                   ELSE format('its commit "%s" does not exist', b.commit_hash) END)
  FROM ONLY pggit.backups AS b
 WHERE b.status = 'completed'
   AND (b.completed_at IS NULL
        OR b.commit_hash IS NULL
        OR NOT EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.hash = b.commit_hash))
$query$);
