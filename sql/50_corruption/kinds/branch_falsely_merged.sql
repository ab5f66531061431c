--
-- Its work would be taken for safe.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_falsely_merged', 'branch',
    'a branch is marked as merged that was not',
    '{branch_merge_incomplete}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.merged_at,'
    'pggit.branches.merged_by}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', 'MERGED') AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND b.status = 'ACTIVE'
   AND b.merged_at IS NULL
   AND b.merged_by IS NULL
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
