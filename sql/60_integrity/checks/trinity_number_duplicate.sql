--
-- The number is a sequence value. pgGit cuts it to six digits, and so past a
-- million the short ones say nothing.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'trinity_number_duplicate', 'commit', 'error', true, 'pggit.commits',
    'the number in a Trinity ID is its own',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'Compare both commits with a backup: one of them is forged, or the sequence was set back.',
$query$
SELECT format('id=%s', max(t.id)),
       format('number %s is in the Trinity IDs of %s commits, the first of which is %s',
              t.number, count(*), min(t.id))
  FROM (SELECT c.id, split_part(c.hash, '-', 2) AS number
          FROM ONLY pggit.commits AS c
         WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$') AS t
 WHERE length(t.number) > 6
    OR (SELECT s.last_value FROM pggit.trinity_id_seq AS s) < 1000000
 GROUP BY t.number
HAVING count(*) > 1
$query$);
