--
-- pgGit writes both in one transaction, and has no foreign key here.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branched_table_stats_missing', 'data', 'error', true, 'pggit.branched_tables',
    'the statistics of a data branch exist',
    '{pggit.branched_tables.id,pggit.branched_tables.branch_name,'
    'pggit.branch_storage_stats.branch_name}',
    'Insert the missing row into pggit.branch_storage_stats.',
$query$
SELECT format('id=%s', t.id),
       format('branch "%s" has branched tables, and no storage statistics', t.branch_name)
  FROM ONLY pggit.branched_tables AS t
 WHERE NOT EXISTS (SELECT
                     FROM ONLY pggit.branch_storage_stats AS s
                    WHERE s.branch_name = t.branch_name)
$query$);

-- The rows are counted in the tables' own records; their size is not known.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branched_table_stats_missing', 'insert', 'pggit.branch_storage_stats',
$query$
SELECT jsonb_build_object('branch_name', t.branch_name,
                          'created_at', min(t.branched_at),
                          'last_modified', max(t.branched_at),
                          'total_size', 0,
                          'row_count', COALESCE(sum(t.row_count), 0),
                          'compression_type', 'none',
                          'cow_enabled', bool_or(t.uses_cow),
                          'storage_efficiency', 100) AS new_row
  FROM finding AS f
  JOIN ONLY pggit.branched_tables AS t ON f.row_identity = format('id=%s', t.id)
 GROUP BY t.branch_name
$query$);
