--
-- The foreign key is content.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_swapped', 'object',
    'a column belongs to another table',
    '{object_parent_foreign}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', p.id) AS change
  FROM (SELECT k.ctid, k.full_name, k.parent_id
          FROM ONLY pggit.objects AS k
         WHERE k.object_type = 'COLUMN'
           AND k.parent_id IS NOT NULL
           AND k.id BETWEEN $2 AND $3
         ORDER BY k.id
         LIMIT 1) AS o
  JOIN ONLY pggit.objects AS p
    ON p.object_type = 'TABLE' AND NOT starts_with(o.full_name, p.full_name || '.')
 WHERE p.id <> o.parent_id
 ORDER BY p.id
 LIMIT 1
$query$);
