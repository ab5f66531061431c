--
-- Whoever reads only the major changes would miss it. No index leads to the drops, so
-- those of objects that are gone come first.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_drop_downgraded', 'history',
    'a drop is recorded as a minor change',
    '{history_drop_malformed}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.change_severity,pggit.objects.id,pggit.objects.is_active}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('change_severity', 'MINOR') AS change
  FROM ONLY pggit.history AS h
 WHERE h.id = (
       SELECT c.id
         FROM (SELECT k.*
                 FROM (SELECT o.id
                         FROM ONLY pggit.objects AS o
                        WHERE NOT o.is_active
                        ORDER BY o.id
                       OFFSET 0) AS gone
                CROSS JOIN LATERAL (SELECT k.id, k.change_type, k.change_severity
                                      FROM ONLY pggit.history AS k
                                     WHERE k.object_id = gone.id
                                     ORDER BY k.id
                                    OFFSET 0) AS k
               UNION ALL
               SELECT k.id, k.change_type, k.change_severity
                 FROM ONLY pggit.history AS k) AS c
        WHERE c.change_type = 'DROP'
          AND c.change_severity = 'MAJOR'
          AND c.id BETWEEN $2 AND $3
        LIMIT 1)
$query$);
