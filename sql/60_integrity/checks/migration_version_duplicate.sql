--
-- Two of one version come with a unique index that is damaged, invalid or gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'migration_version_duplicate', 'migration', 'error', true, 'pggit.migrations',
    'the version of a migration is its own',
    '{pggit.migrations.id,pggit.migrations.version}',
    'Give the later migration a version of its own, and see to the unique constraint.',
$query$
SELECT format('id=%s', max(m.id)),
       format('version "%s" belongs to %s migrations, the first of which is %s', m.version,
              count(*), min(m.id))
  FROM ONLY pggit.migrations AS m
 GROUP BY m.version
HAVING count(*) > 1
$query$);
