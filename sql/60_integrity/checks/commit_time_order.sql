--
-- Both times are written by one statement, and so equality is the rule.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_time_order', 'commit', 'warning', true, 'pggit.commits',
    'a commit is committed when or after it is authored',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.authored_at,pggit.commits.committed_at}',
    'Correct whichever time is wrong.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, before it was authored at %s', c.hash,
              c.committed_at, c.authored_at)
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at < c.authored_at
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'commit_time_order', 'update', 'pggit.commits',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('authored_at', t.committed_at) AS change
  FROM finding AS f
  JOIN ONLY pggit.commits AS t ON f.row_identity = format('id=%s', t.id)
$query$);
