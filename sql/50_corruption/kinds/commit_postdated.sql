--
-- A clock that ran ahead. A Trinity ID would be too old for it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_postdated', 'commit',
    'a commit is of a time to come',
    '{commit_time_future,trinity_time_mismatch}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('committed_at', c.committed_at + interval '10 years') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at IS NOT NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
