--
-- A rename that pgGit did not hear of.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'data_branch_dangling', 'data',
    'a data branch is of a table that does not exist',
    '{data_branch_table_missing}',
    '{pggit.data_branches.id,pggit.data_branches.table_schema,pggit.data_branches.table_name}',
    'update', 'pggit.data_branches',
$query$
SELECT d.ctid AS victim,
       jsonb_build_object('table_name', md5('lost ' || d.table_name)) AS change
  FROM ONLY pggit.data_branches AS d
 ORDER BY @extschema@._pick($1, d.id::text), d.id
 LIMIT 1
$query$);
