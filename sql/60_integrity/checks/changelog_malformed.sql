--
-- pgGit's queries know four operations, and show no other.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'changelog_malformed', 'temporal', 'error', true, 'pggit.temporal_changelog',
    'a recorded change is an insert, an update, a delete or a restore',
    '{pggit.temporal_changelog.change_id,pggit.temporal_changelog.table_schema,'
    'pggit.temporal_changelog.table_name,pggit.temporal_changelog.operation}',
    'Restore the operation from a backup.',
$query$
SELECT format('change_id=%s', g.change_id),
       format('change %s of table "%s"."%s" is a "%s"', g.change_id, g.table_schema,
              g.table_name, g.operation)
  FROM ONLY pggit.temporal_changelog AS g
 WHERE g.operation IS NULL
    OR g.operation NOT IN ('INSERT', 'UPDATE', 'DELETE', 'RESTORE')
$query$);
