--
-- pgGit sets both in one statement.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'migration_incomplete', 'migration', 'error', true, 'pggit.migrations',
    'a migration that was applied says by whom',
    '{pggit.migrations.id,pggit.migrations.version,pggit.migrations.applied_at,'
    'pggit.migrations.applied_by}',
    'Restore applied_by from a backup.',
$query$
SELECT format('id=%s', m.id),
       format('migration "%s" was applied at %s, and nobody knows by whom', m.version,
              m.applied_at)
  FROM ONLY pggit.migrations AS m
 WHERE m.applied_at IS NOT NULL
   AND m.applied_by IS NULL
$query$);
