--
-- It may be NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_tree_hash_malformed', 'commit', 'error', true, 'pggit.commits',
    'the tree hash of a commit is a SHA-256',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.tree_hash}',
    'Restore tree_hash from a backup, or set it to NULL.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" has tree hash "%s", which is not 64 hexadecimal digits', c.hash,
              c.tree_hash)
  FROM ONLY pggit.commits AS c
 WHERE length(c.tree_hash) <> 64
    OR c.tree_hash ~ '[^0-9a-f]'
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'commit_tree_hash_malformed', 'update', 'pggit.commits',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('tree_hash', NULL) AS change
  FROM finding AS f
  JOIN ONLY pggit.commits AS t ON f.row_identity = format('id=%s', t.id)
$query$);
