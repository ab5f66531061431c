--
-- A compressed size may be the larger one, but no size is below zero.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_implausible', 'backup', 'warning', true, 'pggit.backups',
    'a backup has a size, and ends when or after it begins',
    '{pggit.backups.backup_id,pggit.backups.backup_name,pggit.backups.backup_size,'
    'pggit.backups.compressed_size,pggit.backups.started_at,pggit.backups.completed_at}',
    'Look at the backup itself, and correct what is wrong.',
$query$
SELECT format('backup_id=%s', b.backup_id),
       format('backup "%s" has %s', b.backup_name,
              concat_ws(' and ',
                        CASE WHEN b.backup_size < 0 THEN 'size ' || b.backup_size END,
                        CASE WHEN b.compressed_size < 0
                             THEN 'compressed size ' || b.compressed_size END,
                        CASE WHEN b.completed_at < b.started_at
                             THEN format('its end at %s before its beginning at %s',
                                         b.completed_at, b.started_at) END))
  FROM ONLY pggit.backups AS b
 WHERE b.backup_size < 0
    OR b.compressed_size < 0
    OR b.completed_at < b.started_at
$query$);
