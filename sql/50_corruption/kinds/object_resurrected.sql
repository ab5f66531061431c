--
-- Every branch made from now on would get it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_resurrected', 'object',
    'an object that was dropped is active again',
    '{object_dropped_active}',
    '{pggit.objects.id,pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('is_active', true) AS change
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE NOT o.is_active
   AND h.change_type = 'DROP'
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
