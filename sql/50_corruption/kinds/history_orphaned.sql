--
-- The first of several rows, so that the object itself keeps a history without
-- gaps.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_orphaned', 'history',
    'a history row is of an object that does not exist',
    '{history_object_missing}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,pggit.objects.id}',
    'update', 'pggit.history',
$query$
SELECT f.ctid AS victim,
       jsonb_build_object('object_id', (SELECT max(o.id) + 1000
                                          FROM ONLY pggit.objects AS o)) AS change
  FROM ONLY pggit.history AS h
 CROSS JOIN LATERAL (
       SELECT (array_agg(k.id ORDER BY k.id))[1] AS id
         FROM ONLY pggit.history AS k
        WHERE k.object_id = h.object_id
       HAVING count(*) > 1) AS first
  JOIN ONLY pggit.history AS f ON f.id = first.id
 WHERE f.change_type <> 'DROP'
   AND EXISTS (SELECT FROM ONLY pggit.objects AS o WHERE o.id = h.object_id)
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
