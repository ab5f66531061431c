--
-- The first change that is recorded for a snapshot freezes it, in one
-- transaction.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'snapshot_frozen_unchanged', 'temporal', 'error', true, 'pggit.temporal_snapshots',
    'a snapshot is frozen where changes are recorded for it, and only there',
    '{pggit.temporal_snapshots.snapshot_id,pggit.temporal_snapshots.snapshot_name,'
    'pggit.temporal_snapshots.frozen,pggit.temporal_changelog.snapshot_id}',
    'Restore the changes from a backup, or set frozen to whether there are any.',
$query$
SELECT format('snapshot_id=%s', s.snapshot_id),
       format('snapshot "%s" is %s, and has %s changes', s.snapshot_name,
              CASE WHEN s.frozen THEN 'frozen' ELSE 'not frozen' END, COALESCE(g.count, 0))
  FROM ONLY pggit.temporal_snapshots AS s
  LEFT JOIN (SELECT g.snapshot_id, count(*) AS count
               FROM ONLY pggit.temporal_changelog AS g
              GROUP BY g.snapshot_id) AS g ON g.snapshot_id = s.snapshot_id
 WHERE COALESCE(s.frozen, false) <> (g.count IS NOT NULL)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'snapshot_frozen_unchanged', 'update', 'pggit.temporal_snapshots',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('frozen', EXISTS (SELECT
                                              FROM ONLY pggit.temporal_changelog AS g
                                             WHERE g.snapshot_id = t.snapshot_id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.temporal_snapshots AS t
    ON f.row_identity = format('snapshot_id=%s', t.snapshot_id)
$query$);
