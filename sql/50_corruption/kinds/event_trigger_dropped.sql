--
-- A pg_restore without the superuser leaves it out. One that belongs to an
-- extension cannot be dropped, and is left alone.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_dropped', 'definition',
    'an event trigger that tells pgGit of DDL is gone',
    '{event_trigger_missing}',
    '{}',
    'statement', NULL,
$query$
WITH chosen AS (
    SELECT e.oid, e.evtname, e.evtevent, e.evtenabled, e.evttags, e.evtowner,
           e.evtfoid::regprocedure AS function
      FROM pg_catalog.pg_event_trigger AS e
     WHERE e.evtname IN ('pggit_ddl_trigger', 'pggit_drop_trigger')
       AND e.evtenabled IN ('O', 'A')
       AND e.evttags IS NULL
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass
                          AND d.objid = e.oid
                          AND d.deptype = 'e')
     ORDER BY @extschema@._pick($1, e.evtname), e.evtname
     LIMIT 1)
SELECT format('event trigger %I', c.evtname) AS object,
       format('DROP EVENT TRIGGER %I', c.evtname) AS damage,
       concat_ws('; ',
                 format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION %s()', c.evtname,
                        c.evtevent, c.function::regproc),
                 format('ALTER EVENT TRIGGER %I OWNER TO %I', c.evtname,
                        pg_get_userbyid(c.evtowner)),
                 format('ALTER EVENT TRIGGER %I %s', c.evtname,
                        CASE c.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END),
                 format('COMMENT ON EVENT TRIGGER %I IS %L', c.evtname,
                        obj_description(c.oid, 'pg_event_trigger'))) AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', c.evtname) AS probe
  FROM chosen AS c
$query$);
