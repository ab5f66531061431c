--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_commit_missing', 'history', 'error', true, 'pggit.history',
    'the commits that a history row names exist',
    '{pggit.history.id,pggit.history.commit_hash,pggit.history.merge_base_hash,pggit.commits.hash}',
    'Restore the commit from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s names commit "%s", which does not exist', h.id, n.hash)
  FROM ONLY pggit.history AS h
 CROSS JOIN LATERAL (VALUES (h.commit_hash), (h.merge_base_hash)) AS n(hash)
 WHERE n.hash IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS c
                    WHERE c.hash = n.hash)
$query$);
