--
-- Two transactions may reach one version, but not from one time; one
-- transaction may write twice at one time, but not one version.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_duplicate', 'history', 'error', true, 'pggit.history',
    'a change is in the history once',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'Delete the later of the rows.',
$query$
WITH suspect AS MATERIALIZED (
    SELECT h.object_id::bigint << 31 | h.old_version AS object_and_version
      FROM ONLY pggit.history AS h
     WHERE h.old_version IS NOT NULL
     GROUP BY object_and_version
    HAVING count(*) > 1)
SELECT format('id=%s', max(h.id)),
       format('the %s of object %s from version %s to %s at %s is there %s times, first as %s',
              h.change_type, h.object_id, h.old_version, COALESCE(h.new_version::text, 'none'),
              h.created_at, count(*), min(h.id))
  FROM suspect AS s
  JOIN ONLY pggit.history AS h
    ON h.object_id::bigint << 31 | h.old_version = s.object_and_version
 GROUP BY h.object_id, h.change_type, h.old_version, h.new_version, h.created_at
HAVING count(*) > 1
$query$);
