--
-- A promise, because commits go with their branch where that is deleted.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'commit_gone', 'commit', 'warning', false, 'pggit.commits',
    'a commit that was recorded is there',
    '{@extschema@._recorded_digest,pggit.commits.id}',
    'Restore the commit from a backup; where it was deleted on purpose, forget it: '
    'SELECT * FROM pggit_chaos.record_digests(''{commit}'', replace => true).',
$query$
SELECT d.row_identity,
       format('commit %s, which was recorded at %s, is gone', d.row_identity, d.recorded_at)
  FROM @extschema@._recorded_digest AS d
 WHERE d.subject = 'commit'
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.commits AS c
                    WHERE 'id=' || c.id = d.row_identity)
$query$,
    'commit');
