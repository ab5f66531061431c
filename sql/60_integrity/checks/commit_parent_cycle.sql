--
-- Ids grow from parent to child, and so each cycle has an edge that runs
-- against them. Only from there does it walk: a sound history of any length
-- costs one join.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_parent_cycle', 'commit', 'error', true, 'pggit.commits',
    'no commit is its own ancestor',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.parent_commit_hash}',
    'Set parent_commit_hash of one commit of the cycle to its true parent, or to NULL.',
$query$
WITH RECURSIVE walk(id, hash, next) AS (
    SELECT c.id, c.hash, c.parent_commit_hash
      FROM ONLY pggit.commits AS c
      JOIN ONLY pggit.commits AS p ON p.hash = c.parent_commit_hash
     WHERE p.id >= c.id
    UNION
    SELECT w.id, w.hash, p.parent_commit_hash
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_commit_hash
                           FROM ONLY pggit.commits AS p
                          WHERE p.hash = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.hash)
SELECT format('id=%s', w.id),
       format('commit "%s" is its own ancestor', w.hash)
  FROM walk AS w
 WHERE w.next = w.hash
$query$);

-- The commit before it on its branch, none for the first.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'commit_parent_cycle', 'update', 'pggit.commits',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_commit_hash',
              (SELECT p.hash
                 FROM ONLY pggit.commits AS p
                WHERE p.branch_id = t.branch_id
                  AND p.id < t.id
                ORDER BY p.id DESC
                LIMIT 1)) AS change
  FROM finding AS f
  JOIN ONLY pggit.commits AS t ON f.row_identity = format('id=%s', t.id)
$query$);
