--
-- DDL goes on, and pgGit does not hear of it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_disabled', 'definition',
    'an event trigger that tells pgGit of DDL is disabled',
    '{event_trigger_disabled}',
    '{}',
    'statement', NULL,
$query$
SELECT format('event trigger %I', e.evtname) AS object,
       format('ALTER EVENT TRIGGER %I DISABLE', e.evtname) AS damage,
       format('ALTER EVENT TRIGGER %I %s', e.evtname,
              CASE e.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END) AS undo,
       format('SELECT e.evtenabled::text FROM pg_catalog.pg_event_trigger AS e'
              ' WHERE e.evtname = %L', e.evtname) AS probe
  FROM pg_catalog.pg_event_trigger AS e
 WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
   AND e.evtenabled IN ('O', 'A')
 ORDER BY @extschema@._pick($1, e.evtname), e.evtname
 LIMIT 1
$query$);
