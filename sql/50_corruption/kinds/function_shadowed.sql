--
-- function_shadowed
--
-- Whoever calls by the plain name calls the other one. It stands in the first
-- schema of the search_path that new sessions have.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'function_shadowed', 'definition',
    'another function is found by the name of one of pgGit''s',
    '{function_shadowed}',
    '{}',
    'statement', NULL,
$query$
WITH path AS (
    SELECT n.oid, n.nspname, e.place
      FROM pg_catalog.pg_settings AS s
     CROSS JOIN LATERAL regexp_split_to_table(s.reset_val, '\s*,\s*')
           WITH ORDINALITY AS e(name, place)
      JOIN pg_catalog.pg_namespace AS n ON n.nspname = btrim(e.name, '"')
     WHERE s.name = 'search_path'
     ORDER BY e.place
     LIMIT 1)
SELECT format('function %I.%I(%s)', s.nspname, p.proname, a.arguments) AS object,
       format('CREATE FUNCTION %I.%I(%s) RETURNS void LANGUAGE sql AS ''SELECT''',
              s.nspname, p.proname, a.arguments) AS damage,
       format('DROP FUNCTION %I.%I(%s)', s.nspname, p.proname, a.arguments) AS undo,
       format('SELECT concat_ws('' '', p.proowner::regrole, p.proacl, p.prosrc)'
              ' FROM pg_catalog.pg_proc AS p WHERE p.oid = to_regprocedure(%L)',
              format('%I.%I(%s)', s.nspname, p.proname, a.arguments)) AS probe
  FROM path AS s
  JOIN pg_catalog.pg_proc AS p
    ON p.pronamespace = to_regnamespace('pggit')
   AND p.pronargs > 0
   AND p.prokind = 'f'
   AND s.oid <> p.pronamespace
 CROSS JOIN LATERAL (SELECT string_agg(format_type(t.type, NULL), ', ' ORDER BY t.place)
                       FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t(type, place)
                    ) AS a(arguments)
 WHERE s.nspname !~ '^pg'
   AND to_regprocedure(format('%I.%I(%s)', s.nspname, p.proname, a.arguments)) IS NULL
 ORDER BY @extschema@._pick($1, p.oid::regprocedure::text), p.oid::regprocedure::text
 LIMIT 1
$query$);
