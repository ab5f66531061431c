--
-- It is there and it is enabled, and pgGit does not hear of DDL all the same.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'event_trigger_redirected', 'definition',
    'an event trigger of pgGit calls a function that does nothing',
    '{event_trigger_altered}',
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
       AND to_regproc('pggit._pggit_chaos_hears_nothing') IS NULL
     ORDER BY @extschema@._pick($1, e.evtname), e.evtname
     LIMIT 1)
SELECT format('event trigger %I', c.evtname) AS object,
       format('DROP EVENT TRIGGER %1$I; '
              'CREATE FUNCTION pggit._pggit_chaos_hears_nothing() RETURNS event_trigger'
              ' LANGUAGE plpgsql AS ''BEGIN END''; '
              'CREATE EVENT TRIGGER %1$I ON %2$s'
              ' EXECUTE FUNCTION pggit._pggit_chaos_hears_nothing()',
              c.evtname, c.evtevent) AS damage,
       concat_ws('; ',
                 format('DROP EVENT TRIGGER %I', c.evtname),
                 format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION %s()', c.evtname,
                        c.evtevent, c.function::regproc),
                 format('ALTER EVENT TRIGGER %I OWNER TO %I', c.evtname,
                        pg_get_userbyid(c.evtowner)),
                 format('ALTER EVENT TRIGGER %I %s', c.evtname,
                        CASE c.evtenabled WHEN 'O' THEN 'ENABLE' ELSE 'ENABLE ALWAYS' END),
                 format('COMMENT ON EVENT TRIGGER %I IS %L', c.evtname,
                        obj_description(c.oid, 'pg_event_trigger')),
                 'DROP FUNCTION pggit._pggit_chaos_hears_nothing()') AS undo,
       format('SELECT concat_ws('' '', e.evtevent, e.evtenabled, e.evttags,'
              ' e.evtowner::regrole, e.evtfoid::regprocedure,'
              ' obj_description(e.oid, ''pg_event_trigger''))'
              ' FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = %L', c.evtname) AS probe
  FROM chosen AS c
$query$);
