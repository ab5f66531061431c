--
-- rows_hidden
--
-- The owner and superusers see them as before; everybody else is told that there
-- are none.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'rows_hidden', 'definition',
    'a row-level security policy hides a table of pgGit',
    '{row_security_enabled}',
    '{}',
    'statement', NULL,
$query$
SELECT format('row security of table %s', r.oid::regclass) AS object,
       format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; '
              'CREATE POLICY pggit_chaos_hides ON %1$s USING (false)', r.oid::regclass) AS damage,
       format('DROP POLICY pggit_chaos_hides ON %1$s; '
              'ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY', r.oid::regclass) AS undo,
       format('SELECT concat_ws('' '', r.relrowsecurity, r.relforcerowsecurity,'
              ' (SELECT string_agg(p.polname, '','' ORDER BY p.polname)'
              ' FROM pg_catalog.pg_policy AS p WHERE p.polrelid = r.oid))'
              ' FROM pg_catalog.pg_class AS r WHERE r.oid = to_regclass(%L)',
              r.oid::regclass) AS probe
  FROM pg_catalog.pg_class AS r
 WHERE r.relnamespace = to_regnamespace('pggit')
   AND r.relkind = 'r'
   AND NOT r.relrowsecurity
 ORDER BY @extschema@._pick($1, r.oid::regclass::text), r.oid::regclass::text
 LIMIT 1
$query$);
