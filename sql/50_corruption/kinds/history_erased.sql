--
-- Somebody has covered up all traces of one object.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_erased', 'history',
    'an object that has changed has no history',
    '{object_history_missing}',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name,pggit.objects.version,'
    'pggit.objects.is_active,pggit.history.object_id,pggit.history.change_type}',
    'delete', 'pggit.history',
$query$
SELECT h.ctid AS victim
  FROM ONLY pggit.history AS h
 WHERE h.object_id = (
       SELECT o.id
         FROM ONLY pggit.history AS c
         JOIN ONLY pggit.objects AS o ON o.id = c.object_id
        WHERE o.branch_name = 'main'
          AND o.version > 1
          AND o.is_active
          AND NOT EXISTS (SELECT
                            FROM ONLY pggit.objects AS s
                            JOIN ONLY pggit.history AS k ON k.object_id = s.id
                           WHERE s.object_type = o.object_type
                             AND s.schema_name = o.schema_name
                             AND s.object_name = o.object_name
                             AND s.branch_name <> o.branch_name)
          AND c.id BETWEEN $2 AND $3
        ORDER BY c.id
        LIMIT 1)
$query$);
