--
-- What history_version_gap leaves out: a version that was reached on another
-- branch, and came by a merge that left no history.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_version_unrecorded', 'history', 'warning', false, 'pggit.history',
    'the history of an object goes on from the version that it has reached',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'Record the merge in the history of the object.',
$query$
SELECT format('id=%s', r.id),
       format('history row %s takes object %s on from version %s of another branch, and %s was '
              'reached', r.id, r.object_id, r.old_version, r.reached)
  FROM (SELECT h.id, h.object_id, h.old_version,
               max(COALESCE(h.new_version, h.old_version)) OVER (
                   PARTITION BY h.object_id ORDER BY h.id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
          FROM ONLY pggit.history AS h) AS r
 WHERE r.old_version > r.reached
   AND EXISTS (SELECT
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
