--
-- What dependency_cycle leaves out: a view that is noted as its own dependant.
-- A table may have a foreign key to itself.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'dependency_self', 'dependency', 'warning', false, 'pggit.dependencies',
    'nothing but a foreign key makes an object depend on itself',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type}',
    'Delete the dependency.',
$query$
SELECT format('id=%s', d.id),
       format('by dependency %s (%s), object %s depends on itself', d.id, d.dependency_type,
              d.dependent_id)
  FROM ONLY pggit.dependencies AS d
 WHERE d.dependent_id = d.depends_on_id
   AND d.dependency_type <> 'foreign_key'
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'dependency_self', 'delete', 'pggit.dependencies',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.dependencies AS t ON f.row_identity = format('id=%s', t.id)
$query$);
