--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_job_orphaned', 'backup', 'error', true, 'pggit.backup_jobs',
    'the backup of a job exists',
    '{pggit.backup_jobs.job_id,pggit.backup_jobs.backup_id,pggit.backups.backup_id}',
    'Restore the backup''s row from another backup, or delete the job.',
$query$
SELECT format('job_id=%s', j.job_id),
       format('job %s is of backup %s, which does not exist', j.job_id, j.backup_id)
  FROM ONLY pggit.backup_jobs AS j
 WHERE j.backup_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM ONLY pggit.backups AS b WHERE b.backup_id = j.backup_id)
$query$);
