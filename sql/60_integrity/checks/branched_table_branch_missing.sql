--
-- Some releases of pgGit branch data without a branch of schemas.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branched_table_branch_missing', 'data', 'warning', false, 'pggit.branched_tables',
    'the branch of a branched table exists',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_name,pggit.branches.name}',
    'Create the branch, or delete the row and the copy that it tells of.',
$query$
SELECT format('id=%s', t.id),
       format('branched table %s is on branch "%s", which does not exist', t.id, t.branch_name)
  FROM ONLY pggit.branched_tables AS t
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.name = t.branch_name)
$query$);
