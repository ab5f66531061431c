--
-- A warning: whoever drops the table by hand causes it as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branched_table_missing', 'data', 'warning', true, 'pggit.branched_tables',
    'the copy that a data branch has of a table exists',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_name,'
    'pggit.branched_tables.branch_schema,pggit.branched_tables.branch_table}',
    'Restore the table from a backup, or delete the row.',
$query$
SELECT format('id=%s', t.id),
       format('branch "%s" has its copy in table "%s"."%s", which does not exist',
              t.branch_name, t.branch_schema, t.branch_table)
  FROM ONLY pggit.branched_tables AS t
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class AS c
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = t.branch_schema
                      AND c.relname = t.branch_table)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branched_table_missing', 'delete', 'pggit.branched_tables',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.branched_tables AS t ON f.row_identity = format('id=%s', t.id)
$query$);
