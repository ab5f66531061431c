--
-- The audit trail is whole, and names the wrong one.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_author_altered', 'history',
    'a history row names another author',
    '{history_rewritten}',
    '{pggit.history.id,pggit.history.created_by}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('created_by', h.created_by || '_') AS change
  FROM ONLY pggit.history AS h
 WHERE h.created_by IS NOT NULL
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
