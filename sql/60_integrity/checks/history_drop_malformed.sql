--
-- So pgGit writes it.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_drop_malformed', 'history', 'error', true, 'pggit.history',
    'a drop is a major change that leads to no version',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.change_severity,pggit.history.new_version}',
    'Set change_severity to MAJOR and new_version to NULL.',
$query$
SELECT format('id=%s', h.id),
       format('history row %s drops object %s as a %s change to version %s', h.id, h.object_id,
              h.change_severity, COALESCE(h.new_version::text, 'none'))
  FROM ONLY pggit.history AS h
 WHERE h.change_type = 'DROP'
   AND (h.new_version IS NOT NULL OR h.change_severity <> 'MAJOR')
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'history_drop_malformed', 'update', 'pggit.history',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('change_severity', 'MAJOR',
                          'new_version', NULL) AS change
  FROM finding AS f
  JOIN ONLY pggit.history AS t ON f.row_identity = format('id=%s', t.id)
$query$);
