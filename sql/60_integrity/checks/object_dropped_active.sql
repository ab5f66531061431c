--
-- The reverse is no rule: pgGit may go on to version what it holds for
-- dropped.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_dropped_active', 'object', 'error', true, 'pggit.objects',
    'an object that was dropped last is not active',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.is_active,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type}',
    'Set is_active to whether the object exists.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is active, and the last that its history knows is its drop',
              o.object_type, o.full_name)
  FROM ONLY pggit.objects AS o
  JOIN (SELECT h.object_id, max(h.id) AS id
          FROM ONLY pggit.history AS h
         GROUP BY h.object_id) AS l ON l.object_id = o.id
  JOIN ONLY pggit.history AS h ON h.id = l.id
 WHERE o.is_active
   AND h.change_type = 'DROP'
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_dropped_active', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('is_active', false) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
