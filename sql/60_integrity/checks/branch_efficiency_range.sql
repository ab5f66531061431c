--
-- NaN is greater than 100 and so is found too.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_efficiency_range', 'branch', 'warning', true, 'pggit.branches',
    'the storage efficiency of a branch is a percentage',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.storage_efficiency}',
    'Set storage_efficiency to a value from 0 to 100.',
$query$
SELECT format('id=%s', b.id),
       format('branch "%s" has storage efficiency %s', b.name, b.storage_efficiency)
  FROM ONLY pggit.branches AS b
 WHERE b.storage_efficiency NOT BETWEEN 0 AND 100
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_efficiency_range', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('storage_efficiency',
                          CASE WHEN t.storage_efficiency < 0 THEN 0 ELSE 100 END) AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
