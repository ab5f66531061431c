--
-- Two sessions that read one version and both count it up reach the next one
-- twice, where the row is not locked. The same change twice is the business of
-- history_duplicate.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'history_version_repeated', 'history', 'warning', false, 'pggit.history',
    'an object reaches a version once',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.history.created_at,pggit.objects.id}',
    'Count the version of the object, and of its later history, up by one.',
$query$
WITH suspect AS MATERIALIZED (
    SELECT h.object_id::bigint << 31 | h.new_version AS object_and_version
      FROM ONLY pggit.history AS h
     WHERE h.new_version = COALESCE(h.old_version, 0) + 1
     GROUP BY object_and_version
    HAVING count(*) > 1)
SELECT format('id=%s', r.last_id),
       format('object %s has reached version %s %s times, first by history row %s', r.object_id,
              r.new_version, r.count, r.first_id)
  FROM (SELECT h.object_id, h.new_version, count(*) AS count, min(h.id) AS first_id,
               max(h.id) AS last_id
          FROM suspect AS s
          JOIN ONLY pggit.history AS h
            ON h.object_id::bigint << 31 | h.new_version = s.object_and_version
         WHERE h.new_version = COALESCE(h.old_version, 0) + 1
         GROUP BY h.object_id, h.new_version
        HAVING count(DISTINCT to_jsonb(h) - 'id') > 1) AS r
 WHERE EXISTS (SELECT FROM ONLY pggit.objects AS o WHERE o.id = r.object_id)
$query$);
