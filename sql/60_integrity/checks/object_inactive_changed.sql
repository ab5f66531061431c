--
-- What object_drop_unrecorded leaves out: a drop that is in the history, and
-- not at its end.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_inactive_changed', 'object', 'warning', false, 'pggit.objects',
    'the last that the history of an inactive object knows is its drop',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.is_active,'
    'pggit.history.id,pggit.history.object_id,pggit.history.change_type}',
    'Set is_active to whether the object exists.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is not active, and has changed since its drop', o.object_type,
              o.full_name)
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id,
               max(h.id) FILTER (WHERE h.change_type = 'DROP') AS drop_id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
 WHERE NOT o.is_active
   AND l.id > l.drop_id
$query$);
