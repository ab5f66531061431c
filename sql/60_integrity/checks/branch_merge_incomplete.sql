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

-- What says that a branch was merged is believed where there are two of it: status, time and
-- author. What is missing then is no earlier than the branch.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'branch_merge_incomplete', 'update', 'pggit.branches',
$query$
SELECT t.ctid AS victim,
       CASE WHEN t.merged_at IS NULL AND t.merged_by IS NULL
            THEN jsonb_build_object('status', 'ACTIVE')
            WHEN t.status = 'MERGED'
            THEN jsonb_build_object('merged_at', COALESCE(t.merged_at, t.created_at),
                                    'merged_by', COALESCE(t.merged_by, t.created_by))
            ELSE jsonb_build_object('merged_at', NULL, 'merged_by', NULL)
       END AS change
  FROM finding AS f
  JOIN ONLY pggit.branches AS t ON f.row_identity = format('id=%s', t.id)
$query$);
