--
-- What remains when a parent is pruned away. pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_parent_dangling', 'commit',
    'a commit names a parent that does not exist',
    '{commit_parent_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('parent_commit_hash', md5('lost ' || c.hash)) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.parent_commit_hash IS DISTINCT FROM md5('lost ' || c.hash)
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
