--
-- A number that is on a commit and still to be handed out will be there twice.
-- Numbers are compared as text before they are converted: that is cheaper, and
-- what is no number cannot be.
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
              t.last_value)
  FROM (SELECT c.hash, n.number, s.last_value
          FROM pggit.trinity_id_seq AS s
         CROSS JOIN LATERAL (SELECT s.last_value - (NOT s.is_called)::integer) AS g(given)
         CROSS JOIN LATERAL (SELECT lpad(g.given::text, greatest(6, length(g.given::text)),
                                         '0') COLLATE "C") AS l(last)
         CROSS JOIN ONLY pggit.commits AS c
         CROSS JOIN LATERAL (SELECT split_part(c.hash, '-', 2) COLLATE "C") AS n(number)
         WHERE CASE WHEN (length(n.number), n.number) <= (length(l.last), l.last) THEN false
                    WHEN c.hash LIKE '____________________-______%-________'
                     AND c.hash ~ '^[0-9]+-[0-9]+-[0-9a-f]+$'
                    THEN n.number::numeric > g.given END
         ORDER BY length(n.number) DESC, n.number DESC, c.hash
         LIMIT 1) AS t
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'trinity_sequence_behind', 'sequence', NULL,
$query$
SELECT 'pggit.trinity_id_seq'::regclass AS sequence,
       (SELECT max(split_part(c.hash, '-', 2)::bigint)
          FROM ONLY pggit.commits AS c
         WHERE c.hash LIKE '____________________-______%-________'
           AND c.hash ~ '^[0-9]+-[0-9]+-[0-9a-f]+$') AS last_value,
       true AS is_called
  FROM finding AS f
$query$);
