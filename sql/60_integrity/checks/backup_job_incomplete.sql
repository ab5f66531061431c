--
-- pgGit sets each time with the status that it belongs to.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'backup_job_incomplete', 'backup', 'error', true, 'pggit.backup_jobs',
    'a job that runs says since when, a completed one when it ended',
    '{pggit.backup_jobs.job_id,pggit.backup_jobs.status,pggit.backup_jobs.started_at,'
    'pggit.backup_jobs.completed_at}',
    'Look whether the job runs, and set its status and times.',
$query$
SELECT format('job_id=%s', j.job_id),
       format('job %s is %s, and nobody knows %s', j.job_id, j.status,
              CASE j.status WHEN 'running' THEN 'since when' ELSE 'since when it is' END)
  FROM ONLY pggit.backup_jobs AS j
 WHERE j.status = 'running' AND j.started_at IS NULL
    OR j.status = 'completed' AND j.completed_at IS NULL
$query$);
