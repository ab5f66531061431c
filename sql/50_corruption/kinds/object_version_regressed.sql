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
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE o.version > 1
   AND h.created_at = o.updated_at
   AND COALESCE(h.new_version, h.old_version) = o.version
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                      AND s.version = o.version - 1)
 ORDER BY @extschema@._pick($1, o.id::text), o.id
 LIMIT 1
$query$);
