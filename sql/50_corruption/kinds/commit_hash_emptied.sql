--
-- NOT NULL does not keep an empty text out. What referred to the hash dangles.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_hash_emptied', 'commit',
    'a commit has lost its hash',
    '{commit_hash_empty,commit_parent_missing,branch_head_missing,history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('hash', '') AS change
  FROM ONLY pggit.commits AS c
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.commits AS k WHERE k.hash = '')
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
