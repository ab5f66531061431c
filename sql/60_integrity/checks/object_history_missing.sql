--
-- A branch starts out with copies of objects and without their history. What a
-- merge brought to main may have its history on the branch that it came from.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_history_missing', 'object', 'error', true, 'pggit.objects',
    'an object of main that has changed has a history',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.history.object_id}',
    'Restore the history of the object from a backup.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s and no history', o.object_type, o.full_name, o.version)
  FROM ONLY pggit.objects AS o
 WHERE o.branch_name = 'main'
   AND o.version > 1
   AND NOT EXISTS (SELECT FROM ONLY pggit.history AS h WHERE h.object_id = o.id)
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                     JOIN ONLY pggit.history AS h ON h.object_id = s.id
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name)
$query$);
