--
-- The first 20 digits are the time of the transaction. An ID may be made in
-- one transaction and be given to a commit in a later one, but not in an
-- earlier one; a day is allowed for that. The times are compared as text: a
-- forged ID need not be a date. CASE keeps the cheap test first.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'trinity_time_mismatch', 'commit', 'error', true, 'pggit.commits',
    'a Trinity ID is of the time of its commit',
    '{pggit.commits.id,pggit.commits.hash,pggit.commits.committed_at}',
    'Restore hash or committed_at from a backup, whichever was changed.',
$query$
SELECT format('id=%s', c.id),
       format('commit "%s" was committed at %s, and its Trinity ID is %s', c.hash,
              c.committed_at,
              CASE WHEN t.stamp > t.committed THEN 'from later' ELSE 'more than a day older' END)
  FROM ONLY pggit.commits AS c
 CROSS JOIN LATERAL (SELECT left(c.hash, 20) COLLATE "C" AS stamp,
                            to_char(c.committed_at, 'YYYYMMDDHH24MISSUS') AS committed) AS t
 WHERE CASE WHEN t.stamp = t.committed THEN false
            ELSE c.hash LIKE '____________________-______%-________'
             AND c.hash ~ '^[0-9]+-[0-9]+-[0-9a-f]+$'
             AND (t.stamp > t.committed
                  OR t.stamp < to_char(c.committed_at - interval '1 day', 'YYYYMMDDHH24MISSUS'))
       END
$query$);
