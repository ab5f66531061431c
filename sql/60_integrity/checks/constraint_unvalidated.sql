--
-- The sign of a constraint that was added NOT VALID over rows that do not
-- fulfil it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'constraint_unvalidated', 'definition', 'warning', true, 'pg_catalog.pg_constraint',
    'the constraints of pgGit hold for every row',
    '{}',
    'Run ALTER TABLE ... VALIDATE CONSTRAINT: it names the first row that is wrong.',
$query$
SELECT format('constraint=%s.%I', c.conrelid::regclass, c.conname),
       format('constraint "%s" of table "%s" is not valid for every row', c.conname,
              c.conrelid::regclass)
  FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND NOT c.convalidated
$query$);
