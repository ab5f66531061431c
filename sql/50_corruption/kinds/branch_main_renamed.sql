--
-- Objects name their branch by name as well as by id. The new name is made of
-- all names, and so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_renamed', 'branch',
    'branch main has another name',
    '{branch_main_missing,object_branch_missing,merge_conflict_branch_missing}',
    '{pggit.branches.id,pggit.branches.name}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('name', 'main-' || left(md5(string_agg(n.name, ' ')), 8)) AS change
  FROM ONLY pggit.branches AS b
 CROSS JOIN ONLY pggit.branches AS n
 WHERE b.name = 'main'
 GROUP BY b.ctid
$query$);
