--
-- What was done is told otherwise, and nothing in the catalogue contradicts it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_description_altered', 'history',
    'the description of a change says something else',
    '{history_rewritten}',
    '{pggit.history.id,pggit.history.change_description}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('change_description',
                          concat_ws(' ', h.change_description, '(as agreed)')) AS change
  FROM ONLY pggit.history AS h
 WHERE h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
