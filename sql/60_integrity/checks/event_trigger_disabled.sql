--
-- pgGit's enhanced event triggers may stand in for the two that it always has;
-- then it disables both of them.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'event_trigger_disabled', 'definition', 'error', true, 'pg_catalog.pg_event_trigger',
    'the event triggers that tell pgGit of DDL are enabled',
    '{}',
    'Run ALTER EVENT TRIGGER ... ENABLE.',
$query$
WITH deaf AS (
    SELECT e.evtname, e.evtenabled
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
       AND e.evtenabled NOT IN ('O', 'A'))
SELECT format('name=%s', d.evtname),
       format('event trigger "%s" %s', d.evtname,
              CASE d.evtenabled WHEN 'R' THEN 'fires on replicas only' ELSE 'is disabled' END)
  FROM deaf AS d
 WHERE NOT ((SELECT count(*) FROM deaf) = 2
            AND (SELECT count(*)
                   FROM pg_catalog.pg_event_trigger AS e
                  WHERE e.evtname IN ('pggit_enhanced_ddl_trigger', 'pggit_enhanced_drop_trigger')
                    AND e.evtenabled IN ('O', 'A')) = 2)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'event_trigger_disabled', 'statement', NULL,
$query$
SELECT format('event trigger %I', e.evtname) AS object,
       format('ALTER EVENT TRIGGER %I ENABLE', e.evtname) AS damage,
       format('ALTER EVENT TRIGGER %I %s', e.evtname,
              CASE e.evtenabled WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE REPLICA' END) AS undo,
       format('SELECT e.evtenabled::text FROM pg_catalog.pg_event_trigger AS e'
              ' WHERE e.evtname = %L', e.evtname) AS probe
  FROM finding AS f
  JOIN pg_catalog.pg_event_trigger AS e ON f.row_identity = format('name=%s', e.evtname)
 ORDER BY e.evtname
$query$);
