--
-- A cascade that did not happen.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_deleted', 'branch',
    'a branch is gone and what is on it is still there',
    '{commit_branch_missing,object_branch_missing,history_branch_missing,'
    'branch_parent_missing,dependency_branch_missing,data_branch_missing,'
    'branched_table_branch_missing,'
    'merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id,'
    'pggit.commits.branch_id,pggit.objects.branch_id}',
    'delete', 'pggit.branches',
$query$
SELECT b.ctid AS victim
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND COALESCE((SELECT true FROM ONLY pggit.branches AS k WHERE k.parent_branch_id = b.id
                  LIMIT 1),
                (SELECT true FROM ONLY pggit.commits AS c WHERE c.branch_id = b.id LIMIT 1),
                (SELECT true FROM ONLY pggit.objects AS o WHERE o.branch_id = b.id LIMIT 1))
   AND b.id BETWEEN $2 AND $3
 ORDER BY b.id
 LIMIT 1
$query$);
