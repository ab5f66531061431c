--
-- A rename that pgGit did not hear of.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branched_table_dangling', 'data',
    'a data branch has its copy in a table that does not exist',
    '{branched_table_missing}',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_table}',
    'update', 'pggit.branched_tables',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('branch_table', md5('lost ' || t.branch_table)) AS change
  FROM ONLY pggit.branched_tables AS t
 ORDER BY @extschema@._pick($1, t.id::text), t.id
 LIMIT 1
$query$);
