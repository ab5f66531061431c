--
-- pgGit has no check constraint here.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_version_zeroed', 'object',
    'an object has the major version 0',
    '{object_version_invalid}',
    '{pggit.objects.id,pggit.objects.version_major}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('version_major', 0) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.version_major >= 1
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
