--
-- Nobody would know when the object went, or by whose hand.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_drop_erased', 'history',
    'the drop of an object is not in its history',
    '{object_drop_unrecorded}',
    '{pggit.objects.id,pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'delete', 'pggit.history',
$query$
SELECT h.ctid AS victim
  FROM ONLY pggit.history AS h
  JOIN ONLY pggit.objects AS o ON o.id = h.object_id
 WHERE NOT o.is_active
   AND h.change_type = 'DROP'
   AND (SELECT count(*) > 1
               AND count(*) FILTER (WHERE k.change_type = 'DROP') = 1
               AND max(k.id) = h.id
          FROM ONLY pggit.history AS k
         WHERE k.object_id = h.object_id)
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
