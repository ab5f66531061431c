--
-- A lost update: the next commit would start a second line. Where heads are
-- not kept there is nothing to corrupt.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_head_rewound', 'branch',
    'a branch has an older commit as its head',
    '{branch_head_behind}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.head_commit_hash,'
    'pggit.commits.hash,pggit.commits.branch_id,pggit.commits.parent_commit_hash}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('head_commit_hash', c.parent_commit_hash) AS change
  FROM ONLY pggit.branches AS b
  JOIN ONLY pggit.commits AS c ON c.hash = b.head_commit_hash AND c.branch_id = b.id
  JOIN ONLY pggit.commits AS p ON p.hash = c.parent_commit_hash
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
