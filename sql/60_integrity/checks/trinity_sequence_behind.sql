--
-- A number that is on a commit and still to be handed out will be there twice.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'trinity_sequence_behind', 'sequence', 'error', true, 'pggit.trinity_id_seq',
    'the sequence of Trinity IDs is past every Trinity ID in use',
    '{pggit.trinity_id_seq,pggit.commits.hash}',
    'Set pggit.trinity_id_seq to the highest number in use with setval().',
$query$
SELECT 'sequence=pggit.trinity_id_seq',
       format('commit "%s" has number %s, and the sequence stands at %s', t.hash, t.number,
              s.last_value)
  FROM (SELECT c.hash, split_part(c.hash, '-', 2)::numeric AS number
          FROM ONLY pggit.commits AS c
         WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
         ORDER BY number DESC, c.hash
         LIMIT 1) AS t
  JOIN pggit.trinity_id_seq AS s ON t.number > s.last_value - (NOT s.is_called)::integer
$query$);
