--
-- What a restore of the tables without the sequence leaves.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trinity_sequence_rewound', 'sequence',
    'the sequence of Trinity IDs starts again at numbers that commits bear',
    '{trinity_sequence_behind}',
    '{pggit.trinity_id_seq,pggit.commits.hash}',
    'sequence', NULL,
$query$
SELECT 'pggit.trinity_id_seq'::regclass AS sequence, 1 AS last_value, false AS is_called
 WHERE pg_sequence_last_value('pggit.trinity_id_seq'::regclass) IS NOT NULL
   AND EXISTS (SELECT
                 FROM ONLY pggit.commits AS c
                WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$')
$query$);
