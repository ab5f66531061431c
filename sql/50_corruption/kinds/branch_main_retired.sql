--
-- pgGit refuses to do so.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_main_retired', 'branch',
    'branch main is marked as deleted',
    '{branch_main_state}',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status}',
    'update', 'pggit.branches',
$query$
SELECT b.ctid AS victim,
       jsonb_build_object('status', 'DELETED') AS change
  FROM ONLY pggit.branches AS b
 WHERE b.name = 'main'
   AND b.status = 'ACTIVE'
$query$);
