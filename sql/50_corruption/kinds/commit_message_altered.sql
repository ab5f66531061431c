--
-- Somebody has put a word into the author's mouth.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_message_altered', 'commit',
    'the message of a commit says something else',
    '{commit_rewritten}',
    '{pggit.commits.id,pggit.commits.message}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('message', 'approved: ' || c.message) AS change
  FROM ONLY pggit.commits AS c
 WHERE c.message IS NOT NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
