--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_head_dangling', 'branch',
    'a branch has a head that does not exist',
    '{branch_head_missing}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,pggit.commits.hash}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('head_commit_hash', md5('lost ' || b.name)) AS change
  FROM ONLY pggit.branches AS b
 WHERE b.head_commit_hash IS DISTINCT FROM md5('lost ' || b.name)
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
