--
-- By a function of the same name and arguments in a schema that the search_path
-- of new sessions names before pgGit's own, or instead of it. A table counts
-- only where pgGit's schema is on the search_path: its names are everybody's. A
-- promise and no damage, because pgGit calls its own by qualified names: whoever calls
-- by a plain one may mean a function of his own.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'function_shadowed', 'definition', 'warning', false, 'pg_catalog.pg_proc',
    'what goes by a name of pgGit''s on the search_path is pgGit''s',
    '{}',
    'Drop or rename what is in the way, or take its schema off the search_path; where it is meant, '
    'accept the finding.',
$query$
WITH path AS MATERIALIZED (
    SELECT n.oid, n.nspname, p.position
      FROM pg_catalog.pg_settings AS s
     CROSS JOIN LATERAL regexp_split_to_table(s.reset_val, '\s*,\s*')
           WITH ORDINALITY AS p(name, position)
      JOIN pg_catalog.pg_namespace AS n
        ON n.nspname = CASE p.name WHEN '"$user"' THEN session_user::text
                                   ELSE btrim(p.name, '"') END
     WHERE s.name = 'search_path'
       AND n.nspname <> 'pg_catalog'),
ours AS MATERIALIZED (
    SELECT n.oid, (SELECT p.position FROM path AS p WHERE p.oid = n.oid) AS position
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname = 'pggit'),
elsewhere AS MATERIALIZED (
    SELECT f.oid, f.pronamespace, f.proname, f.proargtypes
      FROM pg_catalog.pg_proc AS f
     WHERE f.pronamespace IN (SELECT p.oid FROM path AS p EXCEPT SELECT o.oid FROM ours AS o))
SELECT format('function=%s', f.oid::regprocedure),
       format('function "%s" is found before "%s"', f.oid::regprocedure, g.oid::regprocedure)
  FROM ours AS o
  JOIN pg_catalog.pg_proc AS g ON g.pronamespace = o.oid AND g.pronargs > 0
  JOIN path AS p ON p.oid <> o.oid AND (p.position < o.position OR o.position IS NULL)
  JOIN elsewhere AS f
    ON f.pronamespace = p.oid AND f.proname = g.proname AND f.proargtypes = g.proargtypes
UNION ALL
SELECT format('relation=%s', c.oid::regclass),
       format('relation "%I.%I" is found before "pggit.%I"', p.nspname, c.relname, r.relname)
  FROM ours AS o
  JOIN pg_catalog.pg_class AS r ON r.relnamespace = o.oid AND r.relkind IN ('r', 'p', 'v', 'm', 'S')
  JOIN path AS p ON p.oid <> o.oid AND p.position < o.position
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = p.oid AND c.relname = r.relname
$query$);
