--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'dependency_dangling', 'dependency',
    'an object depends on one that does not exist',
    '{dependency_object_missing}',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.objects.id}',
    'update', 'pggit.dependencies',
$query$
SELECT d.ctid AS victim,
       jsonb_build_object('depends_on_id', (SELECT max(o.id) + 1000
                                              FROM ONLY pggit.objects AS o)) AS change
  FROM ONLY pggit.dependencies AS d
 WHERE d.depends_on_id IN (SELECT o.id FROM ONLY pggit.objects AS o)
   AND d.id BETWEEN $2 AND $3
 ORDER BY d.id
 LIMIT 1
$query$);
