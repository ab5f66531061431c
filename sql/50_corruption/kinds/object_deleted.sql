--
-- A cascade that did not happen.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_deleted', 'object',
    'an object is gone and what refers to it is still there',
    '{history_object_missing,object_parent_missing,dependency_object_missing,object_untracked}',
    '{pggit.objects.id,pggit.objects.full_name,pggit.history.object_id}',
    'delete', 'pggit.objects',
$query$
SELECT o.ctid AS victim
  FROM ONLY pggit.objects AS o
 WHERE EXISTS (SELECT FROM ONLY pggit.history AS h WHERE h.object_id = o.id)
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
