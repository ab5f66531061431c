--
-- Whoever compares it with a computed hash sees a change where there is none.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_hash_garbled', 'object',
    'the DDL hash of an object is no hash',
    '{object_hash_malformed}',
    '{pggit.objects.id,pggit.objects.ddl_hash}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('ddl_hash', 'ddl ' || o.id) AS change
  FROM ONLY pggit.objects AS o
 WHERE COALESCE(o.ddl_hash ~ '^[0-9a-f]{64}$', true)
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
