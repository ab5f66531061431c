--
-- function_renamed
--
-- Of all that can be done to a function this is what the catalogue can tell by itself.
-- OID, owner and grants stay, and so it is undone exactly.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'function_renamed', 'definition',
    'a function that pgGit is used by has another name',
    '{function_missing,function_gone}',
    '{}',
    'statement', NULL,
$query$
SELECT format('function %s', p.oid::regprocedure) AS object,
       format('ALTER FUNCTION %s RENAME TO %I', p.oid::regprocedure, p.proname || '_lost') AS damage,
       format('ALTER FUNCTION %s RENAME TO %I', l.name, p.proname) AS undo,
       format('SELECT concat_ws('','', to_regprocedure(%L), to_regprocedure(%L))',
              p.oid::regprocedure, l.name) AS probe
  FROM (VALUES ('create_branch(text,text,boolean)'),
               ('switch_branch(text)'),
               ('merge_branches(text,text,text)'),
               ('create_data_branch(text,text,text)'),
               ('get_version(text)'),
               ('get_history(text,integer)')) AS f(name)
 CROSS JOIN LATERAL (SELECT 'pggit.' || replace(f.name, '(', '_lost(')) AS l(name)
  JOIN pg_catalog.pg_proc AS p ON p.oid = to_regprocedure('pggit.' || f.name)
 WHERE to_regprocedure(l.name) IS NULL
 ORDER BY @extschema@._pick($1, f.name), f.name
 LIMIT 1
$query$);
