--
-- relation_unheard
--
-- What DDL leaves that ran while pgGit's event triggers were off.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'relation_unheard', 'object',
    'there is a view that pgGit has not heard of',
    '{object_untracked}',
    '{pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.is_active}',
    'statement', NULL,
$query$
SELECT format('view %s', v.name) AS object,
       format('CREATE VIEW %s AS SELECT 1 AS one', v.name) AS damage,
       format('DROP VIEW %s', v.name) AS undo,
       format('SELECT concat_ws('' '', r.relowner::regrole, r.relacl,'
              ' pg_get_viewdef(r.oid)) FROM pg_catalog.pg_class AS r'
              ' WHERE r.oid = to_regclass(%L)', v.name) AS probe
  FROM (SELECT 'public.unheard_' || left(md5($1::text), 8)) AS v(name)
 WHERE to_regnamespace('public') IS NOT NULL
   AND to_regclass(v.name) IS NULL
$query$);
