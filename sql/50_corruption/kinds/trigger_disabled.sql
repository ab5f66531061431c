--
-- Those behind foreign keys among them: a foreign key whose trigger is
-- disabled is there and does nothing. They are told apart by their constraint,
-- because their own names are made of OIDs.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trigger_disabled', 'definition',
    'a trigger of a table of pgGit is disabled',
    '{trigger_disabled}',
    '{}',
    'statement', NULL,
$query$
SELECT format('trigger of table %s', t.tgrelid::regclass) AS object,
       format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname) AS damage,
       format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
              CASE t.tgenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END,
              t.tgname) AS undo,
       format('SELECT t.tgenabled::text FROM pg_catalog.pg_trigger AS t'
              ' WHERE t.tgrelid = to_regclass(%L) AND t.tgname = %L',
              t.tgrelid::regclass, t.tgname) AS probe
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_class AS r ON r.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND p.pronamespace IS DISTINCT FROM to_regnamespace('@extschema@')
   AND t.tgenabled IN ('O', 'A')
 ORDER BY @extschema@._pick($1, concat_ws(' ', t.tgrelid::regclass, p.proname,
                                          COALESCE(c.conname, t.tgname))),
          t.tgrelid::regclass::text, t.tgname
 LIMIT 1
$query$);
