--
-- pgGit's functions look for branches by status, and do not find one without.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_status_missing', 'branch', 'error', true, 'pggit.branches',
    'a branch has a status',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'Set the status that the branch had: ACTIVE, MERGED, DELETED or CONFLICTED.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has no status', b.name)
  FROM ONLY pggit.branches AS b
 WHERE b.status IS NULL
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_status_missing', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('status',
                          CASE WHEN t.merged_at IS NULL THEN 'ACTIVE' ELSE 'MERGED' END) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
