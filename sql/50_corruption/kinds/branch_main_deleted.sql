--
-- Only a function protects it, and no constraint.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_deleted', 'branch',
    'branch main is gone',
    '{branch_main_missing,commit_branch_missing,object_branch_missing,history_branch_missing,'
    'branch_parent_missing,dependency_branch_missing,data_branch_missing,'
    'merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name}',
    'delete', 'pggit.branches',
$query$
SELECT b.ctid AS victim
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
$query$);
