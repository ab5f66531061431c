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

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'index_invalid', 'statement', NULL,
$query$
SELECT format('index %s', i.indexrelid::regclass) AS object,
       format('REINDEX INDEX %s', i.indexrelid::regclass) AS damage,
       format('UPDATE pg_catalog.pg_index'
              ' SET indisvalid = %L, indisready = %L, indislive = %L, indcheckxmin = %L'
              ' WHERE indexrelid = %L::regclass', i.indisvalid, i.indisready, i.indislive,
              i.indcheckxmin, i.indexrelid::regclass) AS undo,
       format('SELECT concat_ws('' '', i.indisvalid, i.indisready, i.indislive)'
              ' FROM pg_catalog.pg_index AS i'
              ' WHERE i.indexrelid = to_regclass(%L)', i.indexrelid::regclass) AS probe
  FROM finding AS f
  JOIN pg_catalog.pg_index AS i
    ON f.row_identity = format('index=%s', i.indexrelid::regclass)
 ORDER BY i.indexrelid::regclass::text
$query$);
