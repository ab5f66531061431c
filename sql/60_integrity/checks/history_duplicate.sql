--
-- The same in everything but its id. Rows that differ are the business of
-- history_version_repeated. What it takes to be the same is asked of those
-- alone that go on from one version.
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
 GROUP BY h.object_id, h.change_type, h.old_version, h.new_version, h.created_at,
          to_jsonb(h) - 'id'
HAVING count(*) > 1
$query$);

-- The row that goes on from what was reached before it stays, or else the first: a copy may have
-- come in anywhere.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'history_duplicate', 'delete', 'pggit.history',
$query$
SELECT t.ctid AS victim
  FROM finding AS f
  JOIN ONLY pggit.history AS l ON f.row_identity = format('id=%s', l.id)
  JOIN ONLY pggit.history AS t
    ON t.object_id = l.object_id AND to_jsonb(t) - 'id' = to_jsonb(l) - 'id'
 WHERE t.id <> (SELECT e.id
                  FROM ONLY pggit.history AS e
                 WHERE e.object_id = t.object_id
                   AND to_jsonb(e) - 'id' = to_jsonb(t) - 'id'
                 ORDER BY (SELECT COALESCE(p.new_version, p.old_version)
                             FROM ONLY pggit.history AS p
                            WHERE p.object_id = e.object_id
                              AND p.id < e.id
                            ORDER BY p.id DESC
                            LIMIT 1) IS DISTINCT FROM e.old_version,
                          e.id
                 LIMIT 1)
$query$);
