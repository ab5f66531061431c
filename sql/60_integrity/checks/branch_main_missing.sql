--
-- Its name and its id are written into pgGit's functions and column defaults.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_main_missing', 'branch', 'error', true, 'pggit.branches',
    'there is a branch main',
    '{pggit.branches.id,pggit.branches.name}',
    'Restore branch main with id 1 from a backup, or rename it back.',
$query$
SELECT 'name=main',
       'there is no branch "main"'
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.name = 'main')
UNION ALL
SELECT 'name=main',
       format('branch "main" has id %s', b.id)
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND b.id <> 1
$query$);

-- The branch that has the id of main and another name was renamed. Where there is none, main is
-- lost.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_main_missing', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('name', 'main') AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON t.id = 1 AND t.name <> 'main'
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS m WHERE m.name = 'main')
$query$);
