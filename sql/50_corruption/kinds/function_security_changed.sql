--
-- Whoever calls it has its owner's rights from now on. It is one of those that
-- function_body_changed leaves alone: of two changes of one definition the older could
-- not be undone without choosing a victim for the newer one again.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'function_security_changed', 'definition',
    'a function of pgGit runs with the rights of its owner',
    '{function_altered}',
    '{}',
    'statement', NULL,
$query$
SELECT format('function %s', p.oid::regprocedure) AS object,
       format('ALTER FUNCTION %s SECURITY DEFINER', p.oid::regprocedure) AS damage,
       format('ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure) AS undo,
       format('SELECT pg_get_functiondef(to_regprocedure(%L))', p.oid::regprocedure) AS probe
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = 'pggit'
   AND p.prokind = 'f'
   AND NOT p.prosecdef
   AND (p.proretset OR p.proargmodes IS NOT NULL)
   -- Neither what another corruption has renamed, nor what one has made.
   AND p.proname !~ '^_pggit_chaos_|_lost$'
 ORDER BY @extschema@._pick($1, p.oid::regprocedure::text), p.oid::regprocedure::text
 LIMIT 1
$query$);
