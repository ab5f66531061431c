--
-- trinity_malformed
--
-- The last part is cut off. What refers to the commit is not told.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trinity_malformed', 'commit',
    'a Trinity ID has lost its last part',
    '{trinity_malformed,commit_parent_missing,branch_head_missing,'
    'history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('hash', regexp_replace(c.hash, '-[0-9a-f]{8}$', '')) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
