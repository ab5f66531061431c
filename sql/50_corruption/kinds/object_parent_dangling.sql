--
-- What a restore of some rows of a table leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_parent_dangling', 'object',
    'a column belongs to a table that does not exist',
    '{object_parent_missing}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.parent_id}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('parent_id', (SELECT max(k.id) + 1000
                                          FROM ONLY pggit.objects AS k)) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'COLUMN'
   AND (o.parent_id IS NULL
        OR (SELECT k.id FROM ONLY pggit.objects AS k WHERE k.id = o.parent_id) IS NOT NULL)
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
