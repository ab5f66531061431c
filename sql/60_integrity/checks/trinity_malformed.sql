--
-- A commit may bear a name of its own. But what begins like a Trinity ID is
-- one.
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
 WHERE c.hash ~ '^\d{18,22}-|^\d+-\d{6,}-'
   AND c.hash !~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
$query$);
