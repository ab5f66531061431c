--
-- Some releases of pgGit take CREATE OR REPLACE for two creations. The same row
-- twice is the business of history_duplicate.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_create_repeated', 'history', 'warning', false, 'pggit.history',
    'an object is created once, unless it was dropped',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version}',
    'Delete the later row, and count the versions down.',
$query$
SELECT format('id=%s', r.id),
       format('history row %s creates object %s, which is there already', r.id, r.object_id)
  FROM (SELECT h.id, h.object_id, h.change_type, h.old_version,
               lag(h.change_type) OVER w AS type_before,
               lag(h.old_version) OVER w AS version_before
          FROM ONLY pggit.history AS h
         WHERE h.change_type IN ('CREATE', 'DROP')
        WINDOW w AS (PARTITION BY h.object_id ORDER BY h.id)) AS r
 WHERE r.change_type = 'CREATE'
   AND r.type_before = 'CREATE'
   AND r.old_version IS DISTINCT FROM r.version_before
$query$);
