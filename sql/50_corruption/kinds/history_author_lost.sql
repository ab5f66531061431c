--
-- The column is not NOT NULL.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_author_lost', 'history',
    'a history row does not say who',
    '{history_field_missing}',
    '{pggit.history.id,pggit.history.created_by}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('created_by', NULL) AS change
  FROM ONLY pggit.history AS h
 WHERE h.created_by IS NOT NULL
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
