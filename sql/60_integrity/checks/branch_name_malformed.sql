--
-- A check constraint says so, and a check constraint can be dropped, or not be
-- valid.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_name_malformed', 'branch', 'error', true, 'pggit.branches',
    'the name of a branch is made of the characters that pgGit allows',
    '{pggit.branches.id,pggit.branches.name}',
    'Rename the branch, and see to the check constraint.',
$query$
SELECT format('id=%s', b.id),
       format('branch %s has the malformed name "%s"', b.id, b.name)
  FROM ONLY pggit.branches AS b
 WHERE b.name !~ '^[a-zA-Z0-9._/#-]+$'
$query$);
