--
-- A lost update: the next change would give a version a second time.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_version_regressed', 'object',
    'an object is back at an older version',
    '{object_version_mismatch}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name,pggit.objects.version,'
    'pggit.objects.updated_at,pggit.history.id,pggit.history.object_id,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('version', o.version - 1) AS change
  FROM ONLY pggit.objects AS o
 CROSS JOIN LATERAL (
       SELECT (array_agg(h.created_at ORDER BY h.id DESC))[1] AS created_at,
              (array_agg(COALESCE(h.new_version, h.old_version) ORDER BY h.id DESC))[1] AS version
         FROM ONLY pggit.history AS h
        WHERE h.object_id = o.id) AS last
 WHERE o.version > 1
   AND last.created_at = o.updated_at
   AND last.version = o.version
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                      AND s.version = o.version - 1)
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
