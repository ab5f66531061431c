--
-- All of pgGit's functions, where function_missing knows those that every release has.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'function_gone', 'definition', 'error', true, 'pg_catalog.pg_proc',
    'a function of pgGit that was recorded is there',
    '{@extschema@._recorded_digest}',
    'Run the part of pgGit''s installer again that creates the function; '
    'where pgGit was upgraded, forget it: '
    'SELECT * FROM pggit_chaos.record_digests(''{function}'', replace => true).',
$query$
SELECT d.row_identity,
       format('function "%s", which was recorded at %s, is gone',
              substr(d.row_identity, length('function=') + 1), d.recorded_at)
  FROM @extschema@._recorded_digest AS d
 WHERE d.subject = 'function'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_proc AS p
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                    WHERE n.nspname ~ '^pggit(_|$)'
                      AND 'function=' || p.oid::regprocedure = d.row_identity)
$query$,
    'function');
