--
-- A replay that ran twice. The id is below all others, and so no sequence
-- falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_duplicated', 'history',
    'a change is in the history twice',
    '{history_duplicate}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'insert', 'pggit.history',
$query$
SELECT to_jsonb(h) || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1
                                                  FROM ONLY pggit.history AS k)) AS new_row
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND h.old_version IS NOT NULL
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
