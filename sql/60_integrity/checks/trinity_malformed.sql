--
-- A commit may bear a name of its own. But what begins like a Trinity ID is
-- one. A pattern without counts is many times as fast, and LIKE counts.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'trinity_malformed', 'commit', 'error', true, 'pggit.commits',
    'a Trinity ID is 20 digits, a number of at least six, and eight hexadecimal digits',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'Restore the hash from a backup, and with it what refers to it.',
$query$
SELECT format('id=%s', c.id),
       format('commit %s has the malformed Trinity ID "%s"', c.id, c.hash)
  FROM ONLY pggit.commits AS c
 WHERE CASE WHEN c.hash LIKE '____________________-______%-________'
             AND c.hash ~ '^[0-9]+-[0-9]+-[0-9a-f]+$' THEN false
            ELSE c.hash ~ '^[0-9]{18,22}-|^[0-9]+-[0-9]{6,}-' END
$query$);
