--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_commit_dangling', 'history',
    'a history row names a commit that does not exist',
    '{history_commit_missing}',
    '{pggit.history.id,pggit.history.commit_hash,pggit.commits.hash}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('commit_hash', md5('lost ' || h.id)) AS change
  FROM ONLY pggit.history AS h
 WHERE h.commit_hash IS DISTINCT FROM md5('lost ' || h.id)
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
