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
WITH taken AS MATERIALIZED (
    SELECT split_part(c.hash, '-', 2) AS number
      FROM ONLY pggit.commits AS c
     WHERE c.hash LIKE '____________________-______%-________'
       AND (substr(c.hash, 28, 1) <> '-'
            OR (SELECT s.last_value FROM pggit.trinity_id_seq AS s) < 1000000)
     GROUP BY number
    HAVING count(*) > 1)
SELECT format('id=%s', max(c.id)),
       format('number %s is in the Trinity IDs of %s commits, the first of which is %s',
              t.number, count(*), min(c.id))
  FROM taken AS t
  JOIN ONLY pggit.commits AS c ON split_part(c.hash, '-', 2) = t.number
 WHERE c.hash LIKE '____________________-______%-________'
   AND c.hash ~ '^[0-9]+-[0-9]+-[0-9a-f]+$'
 GROUP BY t.number
HAVING count(*) > 1
$query$);
