--
-- What is left is a message like any other: only what was recorded tells.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_message_truncated', 'commit',
    'the message of a commit is cut off',
    '{commit_rewritten}',
    '{pggit.commits.id,pggit.commits.message}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('message', left(c.message, length(c.message) / 2)) AS change
  FROM ONLY pggit.commits AS c
 WHERE length(c.message) > 1
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
