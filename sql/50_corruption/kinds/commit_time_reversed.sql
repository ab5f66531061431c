--
-- Two columns of one statement that no longer agree.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_time_reversed', 'commit',
    'a commit was authored after it was committed',
    '{commit_time_order}',
    '{pggit.commits.id,pggit.commits.authored_at,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('authored_at', c.committed_at + interval '1 hour') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at >= COALESCE(c.authored_at, c.committed_at)
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
