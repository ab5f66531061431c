--
-- A drop has its own rule, and a row without versions has none.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_version_step', 'history', 'error', true, 'pggit.history',
    'each change raises the version by one',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version}',
    'Correct the versions by those of the rows before and after.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s (%s) takes object %s from version %s to %s', h.id, h.change_type,
              h.object_id, COALESCE(h.old_version::text, 'none'),
              COALESCE(h.new_version::text, 'none'))
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND COALESCE(h.old_version, h.new_version) IS NOT NULL
   AND h.new_version IS DISTINCT FROM COALESCE(h.old_version, 0) + 1
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'history_version_step', 'update', 'pggit.history',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('new_version',
                          COALESCE(t.old_version, 0) + 1) AS change
  FROM finding AS f
  JOIN ONLY pggit.history AS t ON f.row_identity = format('id=%s', t.id)
$query$);
