--
-- A promise, because history goes with its object or branch where that is deleted, and
-- some pgGits have a retention policy.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'history_gone', 'history', 'warning', false, 'pggit.history',
    'a history row that was recorded is there',
    '{@extschema@._recorded_digest,pggit.history.id}',
    'Restore the row from a backup; where it was deleted on purpose, forget it: '
    'SELECT * FROM pggit_chaos.record_digests(''{history}'', replace => true).',
$query$
SELECT d.row_identity,
       format('history row %s, which was recorded at %s, is gone', d.row_identity, d.recorded_at)
  FROM @extschema@._recorded_digest AS d
 WHERE d.subject = 'history'
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.history AS h
                    WHERE 'id=' || h.id = d.row_identity)
$query$,
    'history');
