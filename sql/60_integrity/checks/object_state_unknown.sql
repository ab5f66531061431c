--
-- pgGit's queries ask for either, and find such an object in neither case.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_state_unknown', 'object', 'error', true, 'pggit.objects',
    'an object is active or it is not',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.is_active}',
    'Set is_active to whether the object exists.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is neither active nor inactive', o.object_type, o.full_name)
  FROM ONLY pggit.objects AS o
 WHERE o.is_active IS NULL
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_state_unknown', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('is_active', COALESCE(
              (SELECT h.change_type <> 'DROP'
                 FROM ONLY pggit.history AS h
                WHERE h.object_id = t.id
                ORDER BY h.id DESC
                LIMIT 1), true)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
