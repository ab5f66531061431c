--
-- pgGit has no foreign key here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'branch_stats_deleted', 'data',
    'a data branch has lost its storage statistics',
    '{branched_table_stats_missing}',
    '{pggit.branch_storage_stats.branch_name,pggit.branched_tables.branch_name}',
    'delete', 'pggit.branch_storage_stats',
$query$
SELECT s.ctid AS victim
  FROM ONLY pggit.branch_storage_stats AS s
 WHERE EXISTS (SELECT
                 FROM ONLY pggit.branched_tables AS t
                WHERE t.branch_name = s.branch_name)
 ORDER BY @extschema@._pick($1, s.branch_name), s.branch_name
 LIMIT 1
$query$);
