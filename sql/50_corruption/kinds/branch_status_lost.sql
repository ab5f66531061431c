--
-- No function of pgGit finds the branch any more.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_status_lost', 'branch',
    'a branch has no status',
    '{branch_status_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', NULL) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND b.status <> 'MERGED'
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
