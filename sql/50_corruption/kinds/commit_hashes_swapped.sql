--
-- commit_hashes_swapped
--
-- Both are hashes, and neither is the one that it is taken for.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_hashes_swapped', 'commit',
    'the hash of a commit and that of its tree have changed places',
    '{commit_tree_hash_malformed,commit_parent_missing,branch_head_missing,'
    'history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.tree_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('hash', c.tree_hash, 'tree_hash', c.hash) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.tree_hash ~ '^[0-9a-f]{64}$'
   AND c.hash !~ '^[0-9a-f]{64}$'
   AND (SELECT k.id FROM ONLY pggit.commits AS k WHERE k.hash = c.tree_hash) IS NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
