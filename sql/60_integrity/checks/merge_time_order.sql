--
-- Both are times of transactions, and the latter ends what the former began.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_time_order', 'merge', 'warning', true, 'pggit.merge_history',
    'a merge is completed when or after it is begun',
    '{pggit.merge_history.id,pggit.merge_history.source_branch,pggit.merge_history.initiated_at,'
    'pggit.merge_history.completed_at}',
    'Correct whichever time is wrong.',
$query$
SELECT format('id=%s', m.id),
       format('merge of "%s" was completed at %s, before it was begun at %s', m.source_branch,
              m.completed_at, m.initiated_at)
  FROM ONLY pggit.merge_history AS m
 WHERE m.completed_at < m.initiated_at
$query$);
