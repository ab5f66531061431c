--
-- branched_table_renamed
--
-- The data are there, and the branch has lost them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branched_table_renamed', 'data',
    'the table with the data of a branch has another name',
    '{branched_table_missing,data_branch_table_missing,data_branch_view_missing}',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_schema,'
    'pggit.branched_tables.branch_table}',
    'statement', NULL,
$query$
SELECT format('table %s', c.oid::regclass) AS object,
       format('ALTER TABLE %s RENAME TO %I', c.oid::regclass, v.name) AS damage,
       format('ALTER TABLE %I.%I RENAME TO %I', n.nspname, v.name, c.relname) AS undo,
       format('SELECT concat_ws('','', to_regclass(%L), to_regclass(%L))', c.oid::regclass,
              format('%I.%I', n.nspname, v.name)) AS probe
  FROM ONLY pggit.branched_tables AS t
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.branch_schema
  JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid
   AND c.relname = t.branch_table
   AND c.relkind = 'r'
 CROSS JOIN LATERAL (SELECT md5('renamed ' || c.relname)) AS v(name)
 WHERE to_regclass(format('%I.%I', n.nspname, v.name)) IS NULL
 ORDER BY @extschema@._pick($1, t.id::text), t.id
 LIMIT 1
$query$);
