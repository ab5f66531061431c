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
  JOIN (SELECT k.object_id, max(k.id) AS id
          FROM ONLY pggit.history AS k
         GROUP BY k.object_id
        HAVING count(*) > 1
           AND count(*) FILTER (WHERE k.change_type = 'DROP') = 1) AS last ON last.id = h.id
 WHERE NOT o.is_active
   AND h.change_type = 'DROP'
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
