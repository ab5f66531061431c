--
-- Two rows for one object come with a unique index that is damaged, invalid or
-- gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_identity_duplicate', 'object', 'error', true, 'pggit.objects',
    'an object is there once on a branch',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.branch_name}',
    'Move the history of the later rows to the first, delete them, and see to the unique '
    'constraint.',
$query$
SELECT format('id=%s', max(o.id)),
       format('%s "%s"."%s" is there %s times on branch "%s", first as %s', o.object_type,
              o.schema_name, o.object_name, count(*), o.branch_name, min(o.id))
  FROM ONLY pggit.objects AS o
 GROUP BY o.object_type, o.schema_name, o.object_name, o.branch_name
HAVING count(*) > 1
$query$);
