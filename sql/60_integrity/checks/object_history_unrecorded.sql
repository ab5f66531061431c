--
-- What object_history_missing leaves out: an object whose history is on another
-- branch, from where a released pgGit merges it to main without.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_history_unrecorded', 'object', 'warning', false, 'pggit.objects',
    'what a merge brings to main has a history on main',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.history.object_id}',
    'Record the merge in the history of the object.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s, and its history is on another branch', o.object_type,
              o.full_name, o.version)
  FROM ONLY pggit.objects AS o
 WHERE o.branch_name = 'main'
   AND o.version > 1
   AND NOT EXISTS (SELECT FROM ONLY pggit.history AS h WHERE h.object_id = o.id)
   AND EXISTS (SELECT
                 FROM ONLY pggit.objects AS s
                 JOIN ONLY pggit.history AS h ON h.object_id = s.id
                WHERE s.object_type = o.object_type
                  AND s.schema_name = o.schema_name
                  AND s.object_name = o.object_name
                  AND s.branch_name <> o.branch_name)
$query$);
