--
-- Those behind foreign keys among them, which are called by their constraint:
-- their own names are made of OIDs.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'trigger_disabled', 'definition', 'error', true, 'pg_catalog.pg_trigger',
    'the triggers of pgGit''s tables are enabled',
    '{}',
    'Run ALTER TABLE ... ENABLE TRIGGER.',
$query$
SELECT format('trigger=%s.%s', t.tgrelid::regclass,
              COALESCE(quote_ident(c.conname) || ' ' || p.proname, quote_ident(t.tgname))),
       format('%s of table "%s" %s',
              COALESCE(format('trigger %s of constraint "%s"', p.proname, c.conname),
                       format('trigger "%s"', t.tgname)),
              t.tgrelid::regclass,
              CASE t.tgenabled WHEN 'R' THEN 'fires on replicas only' ELSE 'is disabled' END)
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_class AS r ON r.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint AND t.tgisinternal
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname <> '@extschema@'
   AND p.pronamespace IS DISTINCT FROM to_regnamespace('@extschema@')
   AND t.tgenabled NOT IN ('O', 'A')
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'trigger_disabled', 'statement', NULL,
$query$
SELECT format('trigger %I of table %s', t.tgname, t.tgrelid::regclass) AS object,
       format('ALTER TABLE %s ENABLE TRIGGER %I', t.tgrelid::regclass, t.tgname) AS damage,
       format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
              CASE t.tgenabled WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE REPLICA' END,
              t.tgname) AS undo,
       format('SELECT t.tgenabled::text FROM pg_catalog.pg_trigger AS t'
              ' WHERE t.tgrelid = to_regclass(%L) AND t.tgname = %L',
              t.tgrelid::regclass, t.tgname) AS probe
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint AND t.tgisinternal
  JOIN finding AS f
    ON f.row_identity = format('trigger=%s.%s', t.tgrelid::regclass,
                               COALESCE(quote_ident(c.conname) || ' ' || p.proname,
                                        quote_ident(t.tgname)))
 WHERE t.tgenabled NOT IN ('O', 'A')
 ORDER BY t.tgrelid::regclass::text, t.tgname
$query$);
