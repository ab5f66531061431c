--
-- The foreign key is content, and a cascading delete would have no end.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_cycle', 'object',
    'a table belongs to one of its own columns',
    '{object_parent_cycle,object_parent_kind}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', own.id) AS change
  FROM ONLY pggit.objects AS t
 CROSS JOIN LATERAL (SELECT max(c.id) AS id
                       FROM ONLY pggit.objects AS c
                      WHERE c.parent_id = t.id
                        AND c.object_type = 'COLUMN') AS own
 WHERE t.object_type = 'TABLE'
   AND t.parent_id IS NULL
   AND own.id IS NOT NULL
   AND t.id BETWEEN $2 AND $3
 ORDER BY t.id
 LIMIT 1
$query$);
