--
-- Tables may refer to each other in circles, and a view may be noted as its
-- own dependant. Any other cycle has an edge that runs against the order of
-- ids; a foreign key can be the only one only where tables have other
-- dependencies as well. Or it leaves a table for something that is none.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'dependency_cycle', 'dependency', 'error', true, 'pggit.dependencies',
    'nothing but foreign keys makes an object depend on itself by way of others',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type,pggit.objects.id,pggit.objects.object_type}',
    'Delete the dependency of the cycle that the catalogue does not have.',
$query$
WITH RECURSIVE walk(id, dependent_id, next, is_cycle) AS (
    SELECT d.id, d.dependent_id, d.depends_on_id, d.dependency_type <> 'foreign_key'
      FROM ONLY pggit.dependencies AS d
      LEFT JOIN ONLY pggit.objects AS o ON o.id = d.dependent_id
      LEFT JOIN ONLY pggit.objects AS p ON p.id = d.depends_on_id
     WHERE d.dependent_id < d.depends_on_id
       AND (d.dependency_type <> 'foreign_key'
            OR EXISTS (SELECT
                         FROM ONLY pggit.dependencies AS t
                         JOIN ONLY pggit.objects AS k
                           ON k.id = t.dependent_id AND k.object_type = 'TABLE'
                        WHERE t.dependency_type <> 'foreign_key'
                          AND t.dependent_id > t.depends_on_id))
        OR d.dependent_id > d.depends_on_id
       AND d.dependency_type <> 'foreign_key'
       AND o.object_type = 'TABLE'
       AND p.object_type <> 'TABLE'
    UNION
    SELECT w.id, w.dependent_id, d.depends_on_id,
           w.is_cycle OR d.dependency_type <> 'foreign_key'
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT d.depends_on_id, d.dependency_type
                           FROM ONLY pggit.dependencies AS d
                          WHERE d.dependent_id = w.next
                         OFFSET 0) AS d
     WHERE w.next <> w.dependent_id)
SELECT format('id=%s', w.id),
       format('by dependency %s, object %s depends on itself', w.id, w.dependent_id)
  FROM walk AS w
 WHERE w.next = w.dependent_id
   AND w.is_cycle
$query$);
