--
-- The audit trail reads on as if nothing had been there.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_gap', 'history',
    'a change in the middle of a history is gone',
    '{history_version_gap}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'delete', 'pggit.history',
$query$
SELECT h.ctid AS victim
  FROM ONLY pggit.history AS h
 CROSS JOIN LATERAL (
       SELECT max(COALESCE(k.new_version, k.old_version)) FILTER (WHERE k.id < h.id) AS reached,
              (array_agg(k.old_version ORDER BY k.id) FILTER (WHERE k.id > h.id))[1] AS next
         FROM ONLY pggit.history AS k
        WHERE k.object_id = h.object_id) AS around
 WHERE around.next > around.reached
   AND h.id BETWEEN $2 AND $3
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                     JOIN ONLY pggit.objects AS s
                       ON s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                     JOIN ONLY pggit.history AS k ON k.object_id = s.id
                    WHERE o.id = h.object_id
                      AND k.new_version = around.next)
 ORDER BY h.id
 LIMIT 1
$query$);
