--
-- Whoever is to blame is another one now.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_author_altered', 'commit',
    'a commit names another author',
    '{commit_rewritten}',
    '{pggit.commits.id,pggit.commits.author}',
    'update', 'pggit.commits',
$query$
SELECT c.ctid AS victim,
       jsonb_build_object('author', c.author || '_') AS change
  FROM ONLY pggit.commits AS c
 WHERE c.author IS NOT NULL
   AND c.id BETWEEN $2 AND $3
 ORDER BY c.id
 LIMIT 1
$query$);
