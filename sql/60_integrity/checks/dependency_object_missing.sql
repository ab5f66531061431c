--
-- Foreign keys say so, and a foreign key can be dropped, disabled or bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'dependency_object_missing', 'dependency', 'error', true, 'pggit.dependencies',
    'both ends of a dependency exist',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.objects.id}',
    'Restore the object from a backup, or delete the dependency.',
$query$
SELECT format('id=%s', d.id),
       format('dependency %s names object %s, which does not exist', d.id, e.object_id)
  FROM ONLY pggit.dependencies AS d
 CROSS JOIN LATERAL (VALUES (d.dependent_id), (d.depends_on_id)) AS e(object_id)
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                    WHERE o.id = e.object_id)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'dependency_object_missing', 'delete', 'pggit.dependencies',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.dependencies AS t ON f.row_identity = format('id=%s', t.id)
$query$);
