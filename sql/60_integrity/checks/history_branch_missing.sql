--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_branch_missing', 'history', 'error', true, 'pggit.history',
    'the branch of a history row exists',
    '{pggit.history.id,pggit.history.branch_id,pggit.branches.id}',
    'Restore the branch from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s is on branch %s, which does not exist', h.id, h.branch_id)
  FROM ONLY pggit.history AS h
 WHERE h.branch_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = h.branch_id)
$query$);

-- It is on the branch of its object.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'history_branch_missing', 'update', 'pggit.history',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('branch_id',
              (SELECT b.id
                 FROM ONLY pggit.objects AS o
                 JOIN ONLY pggit.branches AS b ON b.id = o.branch_id
                WHERE o.id = t.object_id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.history AS t ON f.row_identity = format('id=%s', t.id)
$query$);
