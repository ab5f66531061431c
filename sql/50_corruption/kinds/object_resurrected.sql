--
-- Every branch made from now on would get it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_resurrected', 'object',
    'an object that was dropped is active again',
    '{object_dropped_active,object_gone}',
    '{pggit.objects.id,pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('is_active', true) AS change
  FROM ONLY pggit.objects AS o
 CROSS JOIN LATERAL (
       SELECT (array_agg(h.change_type ORDER BY h.id DESC))[1] AS change_type
         FROM ONLY pggit.history AS h
        WHERE h.object_id = o.id) AS last
 WHERE NOT o.is_active
   AND last.change_type = 'DROP'
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
