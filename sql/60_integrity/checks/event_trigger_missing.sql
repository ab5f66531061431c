--
-- Without them DDL goes on, and pgGit does not hear of it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'event_trigger_missing', 'definition', 'error', true, 'pg_catalog.pg_event_trigger',
    'the event triggers that tell pgGit of DDL exist',
    '{}',
    'Create the event trigger again as pgGit''s installer does.',
$query$
SELECT format('name=%s', t.name),
       format('there is no event trigger "%s"', t.name)
  FROM (VALUES ('pggit_ddl_trigger'), ('pggit_drop_trigger')) AS t(name)
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_event_trigger AS e
                    WHERE e.evtname = t.name)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'event_trigger_missing', 'statement', NULL,
$query$
SELECT format('event trigger %I', t.name) AS object,
       format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION pggit.%I()', t.name, t.event,
              t.function) AS damage,
       format('DROP EVENT TRIGGER %I', t.name) AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', t.name) AS probe
  FROM (VALUES ('pggit_ddl_trigger', 'ddl_command_end', 'handle_ddl_command'),
               ('pggit_drop_trigger', 'sql_drop', 'handle_sql_drop')) AS t(name, event, function)
  JOIN finding AS f ON f.row_identity = format('name=%s', t.name)
 ORDER BY t.name
$query$);
