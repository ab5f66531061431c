--
-- object_phantom
--
-- What a DROP leaves that pgGit did not hear of. The id is below all others, and so
-- no sequence falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_phantom', 'object',
    'an object is recorded that does not exist',
    '{object_gone}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.objects.is_active,pggit.objects.metadata,pggit.branches.name,'
    'pggit.branches.status,pggit.history.object_id}',
    'insert', 'pggit.objects',
$query$
SELECT to_jsonb(o)
       || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1 FROM ONLY pggit.objects AS k),
                             'object_name', 'phantom_' || left(md5($1::text), 8),
                             'version', 1, 'metadata', '{}'::jsonb) AS new_row
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE'
   AND o.branch_name = 'main'
   AND o.schema_name !~ '^(pg_|pggit$|pggit_)'
   AND o.is_active
   AND o.id BETWEEN $2 AND $3
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS k
                    WHERE k.object_type = o.object_type
                      AND k.schema_name = o.schema_name
                      AND k.object_name = 'phantom_' || left(md5($1::text), 8))
 ORDER BY o.id
 LIMIT 1
$query$);
