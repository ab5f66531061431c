--
-- Tables may refer to each other in circles, and a view may be noted as its
-- own dependant. Any other cycle has a dependency that is no foreign key and
-- either runs against the order of ids or starts at a table, which depends on
-- tables only.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, relation, summary, requires, action, query)
VALUES (
    'dependency_cycle', 'dependency', 'error', 'pggit.dependencies',
    'nothing but foreign keys depends on itself by way of others',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type,pggit.objects.id,pggit.objects.object_type}',
    'Delete the dependency of the cycle that the catalogue does not have.',
$query$
WITH RECURSIVE walk(id, dependent_id, next) AS (
    SELECT d.id, d.dependent_id, d.depends_on_id
      FROM ONLY pggit.dependencies AS d
      LEFT JOIN ONLY pggit.objects AS o ON o.id = d.dependent_id
     WHERE d.dependency_type <> 'foreign_key'
       AND (d.dependent_id < d.depends_on_id
            OR d.dependent_id > d.depends_on_id AND o.object_type = 'TABLE')
    UNION
    SELECT w.id, w.dependent_id, d.depends_on_id
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT d.depends_on_id
                           FROM ONLY pggit.dependencies AS d
                          WHERE d.dependent_id = w.next
                         OFFSET 0) AS d
     WHERE w.next <> w.dependent_id)
SELECT format('id=%s', w.id),
       format('by dependency %s, object %s depends on itself', w.id, w.dependent_id)
  FROM walk AS w
 WHERE w.next = w.dependent_id
$query$);
