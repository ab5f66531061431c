--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'data_branch_missing', 'data', 'error', true, 'pggit.data_branches',
    'the branch of a data branch exists',
    '{pggit.data_branches.id,pggit.data_branches.branch_id,pggit.branches.id}',
    'Restore the branch from a backup, or delete the row.',
$query$
SELECT format('id=%s', d.id),
       format('data branch %s is on branch %s, which does not exist', d.id, d.branch_id)
  FROM ONLY pggit.data_branches AS d
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branches AS b
                    WHERE b.id = d.branch_id)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'data_branch_missing', 'delete', 'pggit.data_branches',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.data_branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
