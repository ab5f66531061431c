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
       jsonb_build_object('parent_id', min(p.id)) AS change
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.object_type = 'TABLE' AND p.id < o.id
 WHERE o.object_type = 'TABLE'
   AND o.parent_id IS NULL
 GROUP BY o.ctid, o.id
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
