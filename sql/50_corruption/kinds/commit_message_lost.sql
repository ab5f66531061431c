--
-- The column is not NOT NULL.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_message_lost', 'commit',
    'a commit has lost its message',
    '{commit_field_missing}',
    '{pggit.commits.id,pggit.commits.message}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('message', NULL) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.message IS NOT NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
