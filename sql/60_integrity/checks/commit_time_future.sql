--
-- The column has no time zone and is written in that of the session: 14 hours
-- ahead of UTC is the most that can be meant.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_time_future', 'commit', 'warning', true, 'pggit.commits',
    'no commit is of a time to come',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'Correct committed_at, and the clock if it was that.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, which is still to come', c.hash, c.committed_at)
  FROM ONLY pggit.commits AS c
 WHERE c.committed_at > (SELECT (now() AT TIME ZONE 'UTC') + interval '15 hours')
$query$);
