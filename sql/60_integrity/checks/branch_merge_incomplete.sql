--
-- The reverse is no rule: a deleted branch bears both as well.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'branch_merge_incomplete', 'branch', 'error', true, 'pggit.branches',
    'a merged branch says when and by whom it was merged',
    '{pggit.branches.id,pggit.branches.name,pggit.branches.status,pggit.branches.merged_at,'
    'pggit.branches.merged_by}',
    'Restore status, merged_at and merged_by from a backup.',
$query$
SELECT format('id=%s', b.id),
       CASE WHEN b.merged_at IS NULL AND b.merged_by IS NULL
            THEN format('branch "%s" has status %s, and no time of a merge', b.name, b.status)
            ELSE format('branch "%s" has %s, and not %s', b.name,
                        CASE WHEN b.merged_at IS NULL THEN 'who merged it'
                             ELSE 'when it was merged' END,
                        CASE WHEN b.merged_at IS NULL THEN 'when' ELSE 'by whom' END)
       END
  FROM ONLY pggit.branches AS b
 WHERE b.status = 'MERGED' AND b.merged_at IS NULL
    OR (b.merged_at IS NULL) <> (b.merged_by IS NULL)
$query$);
