--
-- Whoever compares it with a computed hash sees a change where there is none.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_tree_hash_garbled', 'commit',
    'the tree hash of a commit is no hash',
    '{commit_tree_hash_malformed}',
    '{pggit.commits.id,pggit.commits.tree_hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('tree_hash', 'tree ' || c.id) AS change
  FROM ONLY pggit.commits AS c
 WHERE COALESCE(c.tree_hash ~ '^[0-9a-f]{64}$', true)
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
