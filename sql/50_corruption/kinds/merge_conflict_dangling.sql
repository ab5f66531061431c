--
-- A branch that was renamed by hand. The lost name is made of all names, and
-- so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'merge_conflict_dangling', 'merge',
    'a merge conflict is with a branch that does not exist',
    '{merge_conflict_branch_missing}',
    '{pggit.merge_conflicts.id,pggit.merge_conflicts.branch_b,pggit.branches.name}',
    'update', 'pggit.merge_conflicts',
$query$
SELECT m.ctid AS victim,
       jsonb_build_object('branch_b', md5(string_agg(b.name, ' '))) AS change
  FROM (SELECT k.ctid
          FROM ONLY pggit.merge_conflicts AS k
         WHERE k.branch_b IN (SELECT b.name FROM ONLY pggit.branches AS b)
         ORDER BY @extschema@._pick($1, k.id::text), k.id
         LIMIT 1) AS m
 CROSS JOIN ONLY pggit.branches AS b
 GROUP BY m.ctid
$query$);
