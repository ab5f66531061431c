--
-- What a failed CREATE INDEX CONCURRENTLY leaves. No statement takes the flag
-- away, and so it is taken from the catalogue itself.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'index_invalidated', 'definition',
    'an index of pgGit is not valid',
    '{index_invalid}',
    '{}',
    'statement', NULL,
$query$
SELECT format('index %s', i.indexrelid::regclass) AS object,
       format('UPDATE pg_catalog.pg_index SET indisvalid = false'
              ' WHERE indexrelid = %L::regclass', i.indexrelid::regclass) AS damage,
       format('UPDATE pg_catalog.pg_index SET indisvalid = true'
              ' WHERE indexrelid = %L::regclass', i.indexrelid::regclass) AS undo,
       format('SELECT i.indisvalid::text FROM pg_catalog.pg_index AS i'
              ' WHERE i.indexrelid = to_regclass(%L)', i.indexrelid::regclass) AS probe
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND i.indisvalid
   AND NOT i.indisprimary
 ORDER BY @extschema@._pick($1, i.indexrelid::regclass::text), i.indexrelid::regclass::text
 LIMIT 1
$query$);
