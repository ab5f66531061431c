--
-- Concurrent changes may reach one version twice, and a merge may bring one
-- that was reached on another branch; but one that nobody reached was lost.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_version_gap', 'history', 'error', true, 'pggit.history',
    'a history leaves out no version',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'Restore the missing rows of history from a backup.',
$query$
SELECT format('id=%s', r.id),
       format('history row %s takes object %s on from version %s, and only %s was reached',
              r.id, r.object_id, r.old_version, r.reached)
  FROM (SELECT h.id, h.object_id, h.old_version,
               max(COALESCE(h.new_version, h.old_version)) OVER (
                   PARTITION BY h.object_id ORDER BY h.id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
          FROM ONLY pggit.history AS h) AS r
 WHERE r.old_version > r.reached
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                     JOIN ONLY pggit.objects AS s
                       ON s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                     JOIN ONLY pggit.history AS h ON h.object_id = s.id
                    WHERE o.id = r.object_id
                      AND h.new_version = r.old_version)
$query$);
