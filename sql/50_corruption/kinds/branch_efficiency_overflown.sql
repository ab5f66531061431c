--
-- The type of the column goes to 999.99.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_efficiency_overflown', 'branch',
    'a branch claims a storage efficiency above 100 percent',
    '{branch_efficiency_range}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.storage_efficiency}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('storage_efficiency', 250) AS change
  FROM ONLY pggit.branches AS b
 WHERE COALESCE(b.storage_efficiency, 0) BETWEEN 0 AND 100
 ORDER BY @extschema@._pick($1, b.name), b.id
 LIMIT 1
$query$);
