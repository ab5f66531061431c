--
-- What a failed CREATE INDEX CONCURRENTLY leaves; for a moment also one that
-- is still at work.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'index_invalid', 'definition', 'error', true, 'pg_catalog.pg_index',
    'the indexes of pgGit are valid',
    '{}',
    'Run REINDEX INDEX.',
$query$
SELECT format('index=%s', i.indexrelid::regclass),
       format('index "%s" of table "%s" is not %s', i.indexrelid::regclass,
              i.indrelid::regclass,
              CASE WHEN NOT i.indislive THEN 'live' WHEN NOT i.indisready THEN 'ready'
                   ELSE 'valid' END)
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND NOT (i.indisvalid AND i.indisready AND i.indislive)
$query$);
