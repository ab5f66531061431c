--
-- A foreign key says so, and a foreign key can be dropped, disabled or
-- bypassed.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_parent_missing', 'object', 'error', true, 'pggit.objects',
    'the parent of an object is an object',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Restore the parent from a backup, or set parent_id to the object that is the parent.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" names parent %s, which does not exist', o.object_type, o.full_name,
              o.parent_id)
  FROM ONLY pggit.objects AS o
 WHERE o.parent_id IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS p
                    WHERE p.id = o.parent_id)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_parent_missing', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', @extschema@._parent_by_name(t.id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
