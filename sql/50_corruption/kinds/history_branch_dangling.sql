--
-- What a restore of one table without the other leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_branch_dangling', 'history',
    'a history row is on a branch that does not exist',
    '{history_branch_missing}',
    '{pggit.history.id,pggit.history.branch_id,pggit.branches.id}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('branch_id', (SELECT max(b.id) + 1000
                                          FROM ONLY pggit.branches AS b)) AS change
  FROM ONLY pggit.history AS h
 WHERE (h.branch_id IS NULL
        OR h.branch_id IN (SELECT b.id FROM ONLY pggit.branches AS b))
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
