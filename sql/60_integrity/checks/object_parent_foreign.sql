--
-- A parent of the wrong type is the business of object_parent_kind.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_parent_foreign', 'object', 'error', true, 'pggit.objects',
    'a column belongs to the table that it is named after',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id to the table whose name the column bears.',
$query$
SELECT format('id=%s', o.id),
       format('COLUMN "%s" belongs to %s "%s"', o.full_name, p.object_type, p.full_name)
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
 WHERE o.object_type = 'COLUMN'
   AND p.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'PARTITION')
   AND NOT starts_with(o.full_name, p.full_name || '.')
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_parent_foreign', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', @extschema@._parent_by_name(t.id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
