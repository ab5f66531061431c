--
-- What CREATE FUNCTION would say, body included. The hook of pggit_chaos is left out,
-- as it goes in and comes out: the observer is no part of what it observes. Owner and
-- grants are not pgGit's own, and privilege_missing looks at them.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'function_altered', 'definition', 'error', true, 'pg_catalog.pg_proc',
    'a function of pgGit reads as it did when it was recorded',
    '{@extschema@._recorded_digest}',
    'Run the part of pgGit''s installer again that creates the function; '
    'where pgGit was upgraded, record it: '
    'SELECT * FROM pggit_chaos.record_digests(''{function}'', replace => true).',
$query$
SELECT n.row_identity,
       format('function "%s" reads otherwise than it did when it was recorded at %s: '
              '%s, and not %s', n.name, d.recorded_at, left(encode(n.digest, 'hex'), 8),
              left(encode(d.digest, 'hex'), 8))
  FROM (SELECT 'function=' || p.oid::regprocedure AS row_identity, p.oid::regprocedure AS name,
               sha256(convert_to(regexp_replace(
                   pg_get_functiondef(p.oid),
                   '^(.*?)/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                   '\( ?E?''(?:[^'']|'''')*''\) THEN END IF; '
                   '(.*)\n/\*pggit_chaos\*/;?END(\$\w+\$\n)$', '\1\2\3'), 'UTF8')) AS digest
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname ~ '^pggit(_|$)'
           AND n.nspname NOT IN ('@extschema@', 'pggit_base', 'pggit_branches')
           AND p.prokind <> 'a') AS n
  JOIN @extschema@._recorded_digest AS d ON d.row_identity = n.row_identity
 WHERE d.subject = 'function'
   AND d.digest <> n.digest
$query$,
    'function');

INSERT INTO @extschema@._recording (subject, check_id, query)
VALUES (
    'function', 'function_altered',
$query$
SELECT 'function=' || p.oid::regprocedure,
       sha256(convert_to(regexp_replace(
           pg_get_functiondef(p.oid),
           '^(.*?)/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
           '\( ?E?''(?:[^'']|'''')*''\) THEN END IF; '
           '(.*)\n/\*pggit_chaos\*/;?END(\$\w+\$\n)$', '\1\2\3'), 'UTF8'))
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname NOT IN ('@extschema@', 'pggit_base', 'pggit_branches')
   AND p.prokind <> 'a'
$query$);
