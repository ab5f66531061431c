--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_parent_missing', 'branch', 'error', true, 'pggit.branches',
    'the parent of a branch is a branch',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'Restore the parent from a backup, or set parent_branch_id to the branch that is the '
    'parent.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" names parent %s, which does not exist', b.name, b.parent_branch_id)
  FROM ONLY pggit.branches AS b
 WHERE b.parent_branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS p
                    WHERE p.id = b.parent_branch_id)
$query$);

-- All branches come from main.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_parent_missing', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_branch_id',
              (SELECT m.id
                 FROM ONLY pggit.branches AS m
                WHERE m.name = 'main'
                  AND m.id <> t.id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
