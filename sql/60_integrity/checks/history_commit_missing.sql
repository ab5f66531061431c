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
       format('history row %s names commit "%s", which does not exist', h.id, h.commit_hash)
  FROM ONLY pggit.history AS h
 WHERE h.commit_hash IS NOT NULL
   AND NOT EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.hash = h.commit_hash)
UNION ALL
SELECT format('id=%s', h.id),
       format('history row %s names commit "%s", which does not exist', h.id, h.merge_base_hash)
  FROM ONLY pggit.history AS h
 WHERE h.merge_base_hash IS NOT NULL
   AND NOT EXISTS (SELECT FROM ONLY pggit.commits AS c WHERE c.hash = h.merge_base_hash)
$query$);
