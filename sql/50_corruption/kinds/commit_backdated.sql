--
-- The times agree with each other, and the Trinity ID tells the truth.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_backdated', 'commit',
    'a commit is of a time before its Trinity ID was made',
    '{trinity_time_mismatch}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.authored_at,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('authored_at', c.authored_at - interval '3 days',
                          'committed_at', c.committed_at - interval '3 days') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
   AND c.committed_at IS NOT NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
