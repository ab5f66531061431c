--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_verification_orphaned', 'backup', 'error', true, 'pggit.backup_verifications',
    'the backup that was verified exists',
    '{pggit.backup_verifications.verification_id,pggit.backup_verifications.backup_id,'
    'pggit.backups.backup_id}',
    'Restore the backup''s row from another backup, or delete the verification.',
$query$
SELECT format('verification_id=%s', v.verification_id),
       format('verification %s is of backup %s, which does not exist', v.verification_id,
              v.backup_id)
  FROM ONLY pggit.backup_verifications AS v
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.backups AS b WHERE b.backup_id = v.backup_id)
$query$);
