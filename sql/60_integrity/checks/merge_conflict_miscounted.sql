--
-- A merge counts its conflicts when it records them, in one transaction.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'merge_conflict_miscounted', 'merge', 'error', true, 'pggit.merge_history',
    'a merge has as many conflicts as it counts',
    '{pggit.merge_history.id,pggit.merge_history.conflict_count,pggit.merge_conflicts.merge_id}',
    'Compare with a backup: correct conflict_count, or restore the conflicts.',
$query$
SELECT format('id=%s', m.id),
       format('a merge counts %s conflicts, and has %s', m.conflict_count, COALESCE(k.count, 0))
  FROM ONLY pggit.merge_history AS m
  LEFT JOIN (SELECT c.merge_id, count(*) AS count
               FROM ONLY pggit.merge_conflicts AS c
              GROUP BY c.merge_id) AS k ON k.merge_id = m.id::text
 WHERE m.conflict_count <> COALESCE(k.count, 0)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'merge_conflict_miscounted', 'update', 'pggit.merge_history',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('conflict_count',
              (SELECT count(*)
                 FROM ONLY pggit.merge_conflicts AS c
                WHERE c.merge_id = t.id::text)) AS change
  FROM finding AS f
  JOIN ONLY pggit.merge_history AS t ON f.row_identity = format('id=%s', t.id)
$query$);
