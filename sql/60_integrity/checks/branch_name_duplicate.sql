--
-- Two branches of one name come with a unique index that is damaged, invalid
-- or gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_name_duplicate', 'branch', 'error', true, 'pggit.branches',
    'the name of a branch is its own',
    '{pggit.branches.id,pggit.branches.name}',
    'Rename all branches of that name but one, and see to the unique constraint.',
$query$
SELECT format('id=%s', max(b.id)),
       format('name "%s" belongs to %s branches, the first of which is %s', b.name, count(*),
              min(b.id))
  FROM ONLY pggit.branches AS b
 GROUP BY b.name
HAVING count(*) > 1
$query$);
