--
-- Whatever goes wrong in the function, its caller is told of success. A hook is left
-- in place, around the body that has become another.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'function_body_changed', 'definition',
    'a function of pgGit swallows its errors',
    '{function_altered}',
    '{}',
    'statement', NULL,
$query$
WITH chosen AS (
    SELECT p.oid::regprocedure AS name, p.prosrc, s.source,
           CASE WHEN p.prorettype IN ('void'::regtype, 'event_trigger'::regtype) THEN 'NULL;'
                ELSE 'RETURN NULL;' END AS answer
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
     CROSS JOIN LATERAL @extschema@._unhooked_source(p.prosrc) AS s(source)
     WHERE n.nspname = 'pggit'
       AND l.lanname = 'plpgsql'
       AND p.prokind = 'f'
       AND NOT p.proretset
       AND p.proargmodes IS NULL
       -- An inner block ends in a semicolon: where it does, can be read here.
       AND s.source ~* '\n\s*END\s*;?\s*$'
       AND s.source !~ '^\s*#'
       AND strpos(s.source, '_pggit_chaos_swallows') = 0
       -- Neither what another corruption has renamed, nor what one has made.
       AND p.proname !~ '^_pggit_chaos_|_lost$'
     ORDER BY @extschema@._pick($1, p.oid::regprocedure::text), p.oid::regprocedure::text
     LIMIT 1)
SELECT format('function %s', c.name) AS object,
       format('SELECT @extschema@._replace_source(%L, %L)', c.name,
              replace(c.prosrc, c.source,
                      '<<_pggit_chaos_swallows>> BEGIN ' || rtrim(c.source, E'; \t\r\n')
                      || E';\nEXCEPTION WHEN OTHERS THEN ' || c.answer || ' END'
                      -- What a hook has put behind it depends on this.
                      || CASE WHEN c.source ~ ';\s*$' THEN ';' ELSE '' END)) AS damage,
       format('SELECT @extschema@._replace_source(%L, %L)', c.name, c.prosrc) AS undo,
       format('SELECT pg_get_functiondef(to_regprocedure(%L))', c.name) AS probe
  FROM chosen AS c
$query$);
