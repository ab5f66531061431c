--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'dependency_branch_missing', 'dependency', 'error', true, 'pggit.dependencies',
    'the branch of a dependency exists',
    '{pggit.dependencies.id,pggit.dependencies.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or delete the dependency.',
$query$
SELECT format('id=%s', d.id),
       format('dependency %s is on branch %s, which does not exist', d.id, d.branch_id)
  FROM ONLY pggit.dependencies AS d
 WHERE d.branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = d.branch_id)
$query$);

-- It is on the branch of the object that depends.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'dependency_branch_missing', 'update', 'pggit.dependencies',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('branch_id',
              (SELECT b.id
                 FROM ONLY pggit.objects AS o
                 JOIN ONLY pggit.branches AS b ON b.id = o.branch_id
                WHERE o.id = t.dependent_id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.dependencies AS t ON f.row_identity = format('id=%s', t.id)
$query$);
