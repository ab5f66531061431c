--
-- A parent that does not exist is the business of object_parent_missing.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_parent_kind', 'object', 'error', true, 'pggit.objects',
    'columns and indexes belong to tables and views, which belong to nothing',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id to the table or view that the object belongs to; to NULL for a table, view, '
    'function or schema.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" belongs to %s "%s"', o.object_type, o.full_name, p.object_type,
              p.full_name)
  FROM ONLY pggit.objects AS o
  JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
 WHERE o.object_type IN ('TABLE', 'VIEW', 'FUNCTION', 'SCHEMA')
    OR o.object_type IN ('COLUMN', 'INDEX')
       AND p.object_type NOT IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'PARTITION')
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_parent_kind', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', @extschema@._parent_by_name(t.id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
