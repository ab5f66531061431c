--
-- This one always runs: where a table is missing, the checks that read it do
-- not, and their silence must not pass for soundness.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'core_relation_missing', 'definition', 'error', true, 'pg_catalog.pg_class',
    'the core tables of pgGit exist, with the columns that the checks read',
    '{}',
    'Reinstall pgGit, or restore its schema from a backup: checks that read what is missing do '
    'not run.',
$query$
WITH present AS MATERIALIZED (
    SELECT p.attrelid, p.attname
      FROM pg_catalog.pg_attribute AS p
     WHERE p.attrelid IN (to_regclass('pggit.branches'), to_regclass('pggit.commits'),
                          to_regclass('pggit.objects'), to_regclass('pggit.history'))
       AND p.attnum > 0
       AND NOT p.attisdropped)
SELECT format('relation=%s%s', t.name, '.' || a.name),
       CASE WHEN c.oid IS NULL THEN format('table "%s" does not exist', t.name)
            ELSE format('table "%s" has no column "%s"', t.name, a.name)
       END
  FROM (VALUES
       ('pggit.branches', '{id,name,parent_branch_id,head_commit_hash,status,merged_at,merged_by}'),
       ('pggit.commits', '{id,hash,branch_id,parent_commit_hash,message,author,authored_at,'
                         'committer,committed_at}'),
       ('pggit.objects', '{id,object_type,schema_name,object_name,full_name,parent_id,branch_id,'
                         'branch_name,version,version_major,version_minor,version_patch,'
                         'is_active,updated_at}'),
       ('pggit.history', '{id,object_id,change_type,change_severity,commit_hash,branch_id,'
                         'old_version,new_version,created_at,created_by}')
       ) AS t(name, columns)
  LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid = to_regclass(t.name) AND c.relkind IN ('r', 'p')
  LEFT JOIN LATERAL unnest(t.columns::text[]) AS a(name) ON c.oid IS NOT NULL
 WHERE NOT EXISTS (SELECT
                     FROM present AS p
                    WHERE p.attrelid = c.oid
                      AND p.attname = a.name)
$query$);
