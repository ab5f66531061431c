--
-- What a restore of the tables without the sequence leaves: the next INSERT
-- stops with a duplicate key.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'commit_sequence_rewound', 'sequence',
    'the sequence of commit ids starts again at ids that are in use',
    '{sequence_behind}',
    '{pggit.commits.id}',
    'sequence', NULL,
$query$
SELECT pg_get_serial_sequence('pggit.commits', 'id')::regclass AS sequence,
       t.id AS last_value,
       false AS is_called
  FROM ONLY pggit.commits AS t
 WHERE pg_sequence_last_value(pg_get_serial_sequence('pggit.commits', 'id')::regclass)
       IS NOT NULL
   AND t.id >= 1
 ORDER BY t.id
 LIMIT 1
$query$);
