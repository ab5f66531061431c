--
-- It walks from the edges that run against the order of ids: each cycle has
-- one.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_parent_cycle', 'branch', 'error', true, 'pggit.branches',
    'no branch is its own ancestor',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'Set parent_branch_id of one branch of the cycle to its true parent.',
$query$
WITH RECURSIVE walk(id, name, next) AS (
    SELECT b.id, b.name, b.parent_branch_id
      FROM ONLY pggit.branches AS b
     WHERE b.parent_branch_id >= b.id
    UNION
    SELECT w.id, w.name, p.parent_branch_id
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_branch_id
                           FROM ONLY pggit.branches AS p
                          WHERE p.id = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.id)
SELECT format('id=%s', w.id),
       format('branch "%s" is its own ancestor', w.name)
  FROM walk AS w
 WHERE w.next = w.id
$query$);

-- All branches come from main.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_parent_cycle', 'update', 'pggit.branches',
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
