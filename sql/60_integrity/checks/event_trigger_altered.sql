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

-- The one that is there goes, and comes back with heal(): owner, state, tags, comment and all.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'event_trigger_altered', 'statement', NULL,
$query$
SELECT format('event trigger %I', t.name) AS object,
       format('DROP EVENT TRIGGER %1$I; '
              'CREATE EVENT TRIGGER %1$I ON %2$s EXECUTE FUNCTION pggit.%3$I()',
              t.name, t.event, t.function) AS damage,
       concat_ws('; ',
                 format('DROP EVENT TRIGGER %I', t.name),
                 format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', t.name,
                        e.evtevent,
                        (SELECT format(' WHEN TAG IN (%s)',
                                       string_agg(quote_literal(g.tag), ', ' ORDER BY g.position))
                           FROM unnest(e.evttags) WITH ORDINALITY AS g(tag, position)
                         HAVING count(*) > 0),
                        e.evtfoid::regproc),
                 format('ALTER EVENT TRIGGER %I OWNER TO %I', t.name,
                        pg_get_userbyid(e.evtowner)),
                 format('ALTER EVENT TRIGGER %I %s', t.name,
                        CASE e.evtenabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS'
                             WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE REPLICA' END),
                 format('COMMENT ON EVENT TRIGGER %I IS %L', t.name,
                        obj_description(e.oid, 'pg_event_trigger'))) AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', t.name) AS probe
  FROM (VALUES ('pggit_ddl_trigger', 'ddl_command_end', 'handle_ddl_command'),
               ('pggit_drop_trigger', 'sql_drop', 'handle_sql_drop')) AS t(name, event, function)
  JOIN finding AS f ON f.row_identity = format('name=%s', t.name)
  JOIN pg_catalog.pg_event_trigger AS e ON e.evtname = t.name
 ORDER BY t.name
$query$);
