--
-- It may be NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_hash_malformed', 'object', 'error', true, 'pggit.objects',
    'the DDL hash of an object is a SHA-256',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.ddl_hash}',
    'Set ddl_hash to NULL and have pgGit compute it anew.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has DDL hash "%s", which is not 64 hexadecimal digits', o.object_type,
              o.full_name, o.ddl_hash)
  FROM ONLY pggit.objects AS o
 WHERE length(o.ddl_hash) <> 64
    OR o.ddl_hash ~ '[^0-9a-f]'
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_hash_malformed', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('ddl_hash', NULL) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
