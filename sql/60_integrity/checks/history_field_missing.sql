--
-- Both are column defaults, and neither column is NOT NULL.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_field_missing', 'history', 'error', true, 'pggit.history',
    'a history row says when and by whom',
    '{pggit.history.id,pggit.history.created_at,pggit.history.created_by}',
    'Restore the missing values from a backup.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s has no %s', h.id,
              concat_ws(', no ',
                        CASE WHEN h.created_at IS NULL THEN 'time' END,
                        CASE WHEN h.created_by IS NULL THEN 'author' END))
  FROM ONLY pggit.history AS h
 WHERE h.created_at IS NULL
    OR h.created_by IS NULL
$query$);
