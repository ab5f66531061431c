--
-- Two branches are each other's parents; where there is only one beside main,
-- it is its own.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_parent_cycle', 'branch',
    'a branch descends from itself',
    '{branch_parent_cycle}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'update', 'pggit.branches',
$query$
WITH chosen AS (
    SELECT b.ctid, b.id, row_number() OVER (
               ORDER BY @extschema@._pick($1, b.name), b.id) AS place
      FROM ONLY pggit.branches AS b
     WHERE b.name <> 'main'
       AND NOT EXISTS (SELECT
                         FROM ONLY pggit.branches AS p
                        WHERE p.id = b.parent_branch_id
                          AND p.parent_branch_id = b.id)
     ORDER BY place
     LIMIT 2)
SELECT c.ctid AS victim,
       jsonb_build_object('parent_branch_id', COALESCE(
           (SELECT k.id FROM chosen AS k WHERE k.id <> c.id), c.id)) AS change
  FROM chosen AS c
$query$);
