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
SELECT h.ctid AS victim,
       jsonb_build_object('object_id', (SELECT max(o.id) + 1000
                                          FROM ONLY pggit.objects AS o)) AS change
  FROM ONLY pggit.history AS h
  JOIN (SELECT k.object_id, min(k.id) AS id
          FROM ONLY pggit.history AS k
         GROUP BY k.object_id
        HAVING count(*) > 1) AS first ON first.id = h.id
 WHERE h.change_type <> 'DROP'
   AND h.object_id IN (SELECT o.id FROM ONLY pggit.objects AS o)
 ORDER BY @extschema@._pick($1, h.id::text), h.id
 LIMIT 1
$query$);
