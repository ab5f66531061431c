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

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'constraint_unvalidated', 'statement', NULL,
$query$
SELECT format('constraint %I of table %s', c.conname, c.conrelid::regclass) AS object,
       format('ALTER TABLE %s VALIDATE CONSTRAINT %I', c.conrelid::regclass, c.conname) AS damage,
       format('UPDATE pg_catalog.pg_constraint SET convalidated = false'
              ' WHERE conrelid = %L::regclass AND conname = %L',
              c.conrelid::regclass, c.conname) AS undo,
       format('SELECT c.convalidated::text FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              c.conrelid::regclass, c.conname) AS probe
  FROM finding AS f
  JOIN pg_catalog.pg_constraint AS c
    ON f.row_identity = format('constraint=%s.%I', c.conrelid::regclass, c.conname)
 ORDER BY c.conrelid::regclass::text, c.conname
$query$);
