--
-- A lost update: the next change would give a version a second time. Objects come in
-- order, and no more than it takes: OFFSET 0 keeps them from being sorted or joined
-- together.
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
WITH reached AS (
    SELECT o.*
      FROM (SELECT k.id
              FROM ONLY pggit.objects AS k
             WHERE k.id BETWEEN $2 AND $3
             ORDER BY k.id
            OFFSET 0) AS k
     CROSS JOIN LATERAL (
           SELECT o.ctid AS victim, o.object_type, o.schema_name, o.object_name, o.branch_name,
                  o.version, o.updated_at
             FROM ONLY pggit.objects AS o
            WHERE o.id = k.id
           OFFSET 0) AS o
     CROSS JOIN LATERAL (
           SELECT (array_agg(h.created_at ORDER BY h.id DESC))[1] AS created_at,
                  (array_agg(COALESCE(h.new_version, h.old_version) ORDER BY h.id DESC))[1]
                      AS version
             FROM ONLY pggit.history AS h
            WHERE h.object_id = k.id
              AND o.version > 1
           OFFSET 0) AS last
     WHERE o.version > 1
       AND last.created_at = o.updated_at
       AND last.version = o.version
     ORDER BY k.id
    OFFSET 0)
SELECT r.victim,
       jsonb_build_object('version', r.version - 1) AS change
  FROM reached AS r
 WHERE (SELECT true
          FROM ONLY pggit.objects AS s
         WHERE s.object_type = r.object_type
           AND s.schema_name = r.schema_name
           AND s.object_name = r.object_name
           AND s.branch_name <> r.branch_name
           AND s.version = r.version - 1
         LIMIT 1) IS NULL
 LIMIT 1
$query$);
