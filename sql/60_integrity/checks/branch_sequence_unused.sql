--
-- What sequence_behind leaves out: some installers give branch main its id
-- without the sequence, which so hands out 1 for the first branch of a user.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_sequence_unused', 'sequence', 'warning', false, 'pggit.branches',
    'the first branch that is created gets an id of its own',
    '{pggit.branches.id,pggit.branches_id_seq}',
    'Run SELECT setval(''pggit.branches_id_seq'', 1).',
$query$
SELECT 'sequence=pggit.branches_id_seq',
       'sequence "pggit.branches_id_seq" is to hand out 1, which branch "main" has'
  FROM pggit.branches_id_seq AS s
 WHERE NOT s.is_called
   AND s.last_value = 1
   AND EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.id = 1)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_sequence_unused', 'sequence', NULL,
$query$
SELECT 'pggit.branches_id_seq'::regclass AS sequence, 1 AS last_value, true AS is_called
  FROM finding AS f
$query$);
