--
-- An event trigger cannot be altered, but it can be replaced under its name.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'event_trigger_altered', 'definition', 'error', true, 'pg_catalog.pg_event_trigger',
    'the event triggers of pgGit fire when they should and call what they should',
    '{}',
    'Drop the event trigger and create it again as pgGit''s installer does.',
$query$
SELECT format('name=%s', t.name),
       format('event trigger "%s" calls %s on %s%s', t.name, e.evtfoid::regprocedure, e.evtevent,
              ' for ' || array_to_string(e.evttags, ', ') || ' only')
  FROM (VALUES ('pggit_ddl_trigger', 'ddl_command_end', 'handle_ddl_command'),
               ('pggit_drop_trigger', 'sql_drop', 'handle_sql_drop')) AS t(name, event, function)
  JOIN pg_catalog.pg_event_trigger AS e ON e.evtname = t.name
  JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE e.evtevent <> t.event
    OR e.evttags IS NOT NULL
    OR (n.nspname, p.proname) IS DISTINCT FROM ('pggit', t.function)
$query$);
