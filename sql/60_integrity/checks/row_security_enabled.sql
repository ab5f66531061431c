--
-- A policy hides rows from everybody but the owner, and pgGit has none: to whom
-- they are hidden a branch does not exist, and can be made again. Schemas
-- pggit_branch_... hold users' data.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'row_security_enabled', 'definition', 'error', true, 'pg_catalog.pg_class',
    'no policy hides rows of pgGit''s tables',
    '{}',
    'Run ALTER TABLE ... DISABLE ROW LEVEL SECURITY.',
$query$
SELECT format('relation=%s', c.oid::regclass),
       format('row security of table "%s" is enabled, with %s policies', c.oid::regclass,
              (SELECT count(*) FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid))
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname !~ '^pggit_(base$|branch)'
   AND n.nspname <> '@extschema@'
   AND c.relrowsecurity
$query$);

-- The policies stay, and hide nothing.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'row_security_enabled', 'statement', NULL,
$query$
SELECT format('row security of table %s', c.oid::regclass) AS object,
       format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', c.oid::regclass) AS damage,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass) AS undo,
       format('SELECT c.relrowsecurity::text FROM pg_catalog.pg_class AS c'
              ' WHERE c.oid = to_regclass(%L)', c.oid::regclass) AS probe
  FROM finding AS f
  JOIN pg_catalog.pg_class AS c ON f.row_identity = format('relation=%s', c.oid::regclass)
 WHERE c.relrowsecurity
 ORDER BY c.oid::regclass::text
$query$);
