--
-- An object names its branch twice, by name and by id, and pgGit has a foreign
-- key for neither.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_branch_missing', 'object', 'error', true, 'pggit.objects',
    'the branch of an object exists',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,'
    'pggit.objects.branch_id,pggit.objects.branch_name,pggit.branches.id,pggit.branches.name}',
    'Restore the branch from a backup, or move the object to the branch that it belongs to.',
$query$
SELECT format('id=%s', o.id),
       format('%s "%s" is on branch "%s" (%s), which does not exist', o.object_type, o.full_name,
              o.branch_name, o.branch_id)
  FROM ONLY pggit.objects AS o
 WHERE NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.name = o.branch_name)
    OR NOT EXISTS (SELECT FROM ONLY pggit.branches AS b WHERE b.id = o.branch_id)
$query$);

-- Of the branch's id and its name, one tells the other.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_branch_missing', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       COALESCE(
           (SELECT jsonb_build_object('branch_name', b.name)
              FROM ONLY pggit.branches AS b
             WHERE b.id = t.branch_id),
           (SELECT jsonb_build_object('branch_id', b.id)
              FROM ONLY pggit.branches AS b
             WHERE b.name = t.branch_name),
           '{}') AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
