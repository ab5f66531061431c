--
-- Where nothing refers to commits, a commit goes without a trace, and there is
-- nothing to corrupt.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_deleted', 'commit',
    'a commit that others refer to is gone',
    '{commit_parent_missing,branch_head_missing,history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash,'
    'pggit.branches.head_commit_hash,pggit.history.commit_hash}',
    'delete', 'pggit.commits',
$query$
SELECT c.ctid AS victim
  FROM ONLY pggit.commits AS c
 WHERE c.hash IN (SELECT k.parent_commit_hash FROM ONLY pggit.commits AS k
                   WHERE k.id <> c.id
                  UNION ALL
                  SELECT b.head_commit_hash FROM ONLY pggit.branches AS b
                  UNION ALL
                  SELECT h.commit_hash FROM ONLY pggit.history AS h)
 ORDER BY @extschema@._pick($1, c.id::text), c.id
 LIMIT 1
$query$);
