--
-- A warning: whoever drops the table by hand causes it as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'data_branch_table_missing', 'data', 'warning', true, 'pggit.data_branches',
    'the table of a data branch exists',
    '{pggit.data_branches.id,pggit.data_branches.table_schema,pggit.data_branches.table_name}',
    'Restore the table from a backup, or delete the row.',
$query$
SELECT format('id=%s', d.id),
       format('data branch %s is of table "%s"."%s", which does not exist', d.id,
              d.table_schema, d.table_name)
  FROM ONLY pggit.data_branches AS d
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class AS c
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = d.table_schema
                      AND c.relname = d.table_name)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'data_branch_table_missing', 'delete', 'pggit.data_branches',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.data_branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
