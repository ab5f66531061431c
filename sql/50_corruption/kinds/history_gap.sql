--
-- The audit trail reads on as if nothing had been there. A version that another branch
-- has reached says nothing, and where all of them have reached all versions a walk along
-- the history is a long one. So it is a short one, and then the newest objects come
-- first, which no branch has a copy of yet. OFFSET 0 and LIMIT 1 keep the planner from
-- reading all there is.
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
 WHERE h.id = (
       SELECT c.id
         FROM (SELECT near.id, near.object_id
                 FROM (SELECT k.id, k.object_id
                         FROM ONLY pggit.history AS k
                        WHERE k.id BETWEEN $2 AND $3
                        ORDER BY k.id
                        LIMIT 100) AS near
               UNION ALL
               SELECT k.id, n.id
                 FROM (SELECT o.id FROM ONLY pggit.objects AS o ORDER BY o.id DESC OFFSET 0) AS n
                CROSS JOIN LATERAL (SELECT k.id
                                      FROM ONLY pggit.history AS k
                                     WHERE k.object_id = n.id
                                     ORDER BY k.id
                                    OFFSET 0) AS k) AS c
        CROSS JOIN LATERAL (
              SELECT max(COALESCE(k.new_version, k.old_version)) FILTER (WHERE k.id < c.id)
                         AS reached,
                     (array_agg(k.old_version ORDER BY k.id) FILTER (WHERE k.id > c.id))[1] AS next
                FROM ONLY pggit.history AS k
               WHERE k.object_id = c.object_id
              OFFSET 0) AS around
        WHERE around.next > around.reached
          AND (SELECT true
                 FROM ONLY pggit.objects AS o
                 JOIN ONLY pggit.objects AS s
                   ON s.object_type = o.object_type
                  AND s.schema_name = o.schema_name
                  AND s.object_name = o.object_name
                  AND s.branch_name <> o.branch_name
                 JOIN ONLY pggit.history AS k ON k.object_id = s.id
                WHERE o.id = c.object_id
                  AND k.new_version = around.next
                LIMIT 1) IS NULL
        LIMIT 1)
$query$);
