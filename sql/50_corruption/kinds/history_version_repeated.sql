--
-- history_version_repeated
--
-- Two changes that did not know of each other reached the same version. The id is
-- below all others, and so no sequence falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_version_repeated', 'history',
    'two changes of an object gave it the same version',
    '{history_version_repeated}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at,'
    'pggit.objects.id}',
    'insert', 'pggit.history',
$query$
SELECT to_jsonb(h)
       || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1 FROM ONLY pggit.history AS k),
                             'created_at', h.created_at - interval '1 second') AS new_row
  FROM ONLY pggit.history AS h
 WHERE h.change_type = 'ALTER'
   AND h.new_version = h.old_version + 1
   AND EXISTS (SELECT FROM ONLY pggit.objects AS o WHERE o.id = h.object_id)
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
