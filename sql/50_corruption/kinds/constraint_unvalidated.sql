--
-- What a dump and restore with NOT VALID leaves. No statement takes the flag
-- away, and so it is taken from the catalogue itself.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'constraint_unvalidated', 'definition',
    'a constraint of pgGit does not hold for every row',
    '{constraint_unvalidated}',
    '{}',
    'statement', NULL,
$query$
SELECT format('constraint %I of table %s', c.conname, c.conrelid::regclass) AS object,
       format('UPDATE pg_catalog.pg_constraint SET convalidated = false'
              ' WHERE conrelid = %L::regclass AND conname = %L',
              c.conrelid::regclass, c.conname) AS damage,
       format('UPDATE pg_catalog.pg_constraint SET convalidated = true'
              ' WHERE conrelid = %L::regclass AND conname = %L',
              c.conrelid::regclass, c.conname) AS undo,
       format('SELECT c.convalidated::text FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              c.conrelid::regclass, c.conname) AS probe
  FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND c.contype IN ('c', 'f')
   AND c.convalidated
 ORDER BY @extschema@._pick($1, concat_ws(' ', c.conrelid::regclass, c.conname)),
          c.conrelid::regclass::text, c.conname
 LIMIT 1
$query$);
