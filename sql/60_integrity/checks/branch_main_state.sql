--
-- pgGit protects it from deletion, and all other branches come from it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_main_state', 'branch', 'error', true, 'pggit.branches',
    'branch main is active and has no parent',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.parent_branch_id}',
    'Run UPDATE pggit.branches SET status = ''ACTIVE'', parent_branch_id = NULL WHERE name = '
    '''main''.',
$query$
SELECT 'name=main',
       format('branch "main" has %s',
              concat_ws(' and ',
                        CASE WHEN b.status <> 'ACTIVE' THEN 'status ' || b.status END,
                        CASE WHEN b.parent_branch_id IS NOT NULL
                             THEN 'parent ' || b.parent_branch_id END))
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND (b.status <> 'ACTIVE' OR b.parent_branch_id IS NOT NULL)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_main_state', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('status', 'ACTIVE', 'parent_branch_id', NULL) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('name=%s', t.name)
$query$);
