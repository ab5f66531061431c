--
-- Only a drop makes an object inactive, and it writes both in one transaction.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_drop_unrecorded', 'object', 'error', true, 'pggit.objects',
    'the drop of an object is in its history',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.is_active,pggit.history.object_id,pggit.history.change_type}',
    'Restore the history of the object from a backup, or set is_active if it was never dropped.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is not active, and its history knows of no drop', o.object_type,
              o.full_name)
  FROM ONLY pggit.objects AS o
 WHERE NOT o.is_active
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.history AS h
                    WHERE h.object_id = o.id
                      AND h.change_type = 'DROP')
$query$);
