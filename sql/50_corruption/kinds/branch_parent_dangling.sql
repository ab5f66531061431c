--
-- What a restore of some rows of a table leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_parent_dangling', 'branch',
    'a branch names a parent that does not exist',
    '{branch_parent_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.parent_branch_id}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('parent_branch_id', (SELECT max(k.id) + 1000
                                                 FROM ONLY pggit.branches AS k)) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name <> 'main'
   AND (b.parent_branch_id IS NULL
        OR b.parent_branch_id IN (SELECT k.id FROM ONLY pggit.branches AS k))
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
