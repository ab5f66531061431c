--
-- An incremental backup is worth nothing without the one that it depends on.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_dependency_missing', 'backup', 'error', true, 'pggit.backup_dependencies',
    'both ends of a dependency between backups exist',
    '{pggit.backup_dependencies.backup_id,pggit.backup_dependencies.depends_on_backup_id,'
    'pggit.backups.backup_id}',
    'Do not rely on the backup. Restore the missing row from another one.',
$query$
SELECT format('backup_id=%s, depends_on_backup_id=%s', d.backup_id, d.depends_on_backup_id),
       format('backup %s depends on %s, and %s does not exist', d.backup_id,
              d.depends_on_backup_id, e.backup_id)
  FROM ONLY pggit.backup_dependencies AS d
 CROSS JOIN LATERAL (VALUES (d.backup_id), (d.depends_on_backup_id)) AS e(backup_id)
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.backups AS b WHERE b.backup_id = e.backup_id)
$query$);
