--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_object_missing', 'history', 'error', true, 'pggit.history',
    'the object of a history row exists',
    '{pggit.history.id,pggit.history.object_id,pggit.objects.id}',
    'Restore the object from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s is of object %s, which does not exist', h.id, h.object_id)
  FROM ONLY pggit.history AS h
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                    WHERE o.id = h.object_id)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'history_object_missing', 'delete', 'pggit.history',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.history AS t ON f.row_identity = format('id=%s', t.id)
$query$);
