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
 WHERE c.hash = COALESCE((SELECT p.hash
                            FROM ONLY pggit.commits AS k
                            JOIN ONLY pggit.commits AS p ON p.hash = k.parent_commit_hash
                           WHERE p.id <> k.id
                             AND k.id BETWEEN $2 AND $3
                           ORDER BY k.id
                           LIMIT 1),
                         (SELECT p.hash
                            FROM ONLY pggit.branches AS b
                            JOIN ONLY pggit.commits AS p ON p.hash = b.head_commit_hash
                           ORDER BY b.id
                           LIMIT 1),
                         (SELECT p.hash
                            FROM ONLY pggit.history AS h
                            JOIN ONLY pggit.commits AS p ON p.hash = h.commit_hash
                           ORDER BY h.id
                           LIMIT 1))
$query$);
