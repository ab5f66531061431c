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
