--
-- The foreign key is content. The parent is older than the child, and so there
-- is no cycle.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_misplaced', 'object',
    'a table belongs to another table',
    '{object_parent_kind}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', p.id) AS change
  FROM ONLY pggit.objects AS o
 CROSS JOIN (SELECT t.id
               FROM ONLY pggit.objects AS t
              WHERE t.object_type = 'TABLE'
              ORDER BY t.id
              LIMIT 1) AS p
 WHERE o.object_type = 'TABLE'
   AND o.parent_id IS NULL
   AND p.id < o.id
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
