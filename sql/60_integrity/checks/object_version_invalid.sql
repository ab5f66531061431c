--
-- The first version of an object is 1, or 1.0.0.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_version_invalid', 'object', 'error', true, 'pggit.objects',
    'the versions of an object count from 1',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.version,pggit.objects.version_major,pggit.objects.version_minor,'
    'pggit.objects.version_patch}',
    'Restore the versions from the history of the object.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s (%s.%s.%s)', o.object_type, o.full_name, o.version,
              o.version_major, o.version_minor, o.version_patch)
  FROM ONLY pggit.objects AS o
 WHERE o.version < 1
    OR o.version_major < 1
    OR o.version_minor < 0
    OR o.version_patch < 0
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_version_invalid', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object(
           'version', CASE WHEN t.version < 1 THEN greatest(1,
              (SELECT COALESCE(h.new_version, h.old_version)
                 FROM ONLY pggit.history AS h
                WHERE h.object_id = t.id
                ORDER BY h.id DESC
                LIMIT 1)) ELSE t.version END,
           'version_major', greatest(1, t.version_major),
           'version_minor', greatest(0, t.version_minor),
           'version_patch', greatest(0, t.version_patch)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
