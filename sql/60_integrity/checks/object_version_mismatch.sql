--
-- A merge may bring the version of another branch with it, without history. So
-- only an object whose history is as new as itself is looked at, and only if
-- no other branch has it at that version.
-- The id of the last history row and what it reached go as one number: that
-- saves a join of the history with itself.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_version_mismatch', 'object', 'error', true, 'pggit.objects',
    'the version of an object is the one that its history has reached',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.version,pggit.objects.updated_at,pggit.history.id,pggit.history.object_id,'
    'pggit.history.old_version,pggit.history.new_version,pggit.history.created_at}',
    'Compare with a backup: set the version to what the history says, or restore the missing '
    'history.',
$query$
WITH suspect AS MATERIALIZED (
    SELECT o.*, l.id_and_reached >> 31 AS history_id
      FROM ONLY pggit.objects AS o
      JOIN (SELECT h.object_id,
                   max(h.id::bigint << 31
                       | (COALESCE(h.new_version, h.old_version)::bigint & 2147483647))
                       AS id_and_reached
              FROM ONLY pggit.history AS h
             GROUP BY h.object_id) AS l
        ON l.object_id = o.id
       AND (l.id_and_reached & 2147483647) <> (o.version::bigint & 2147483647))
SELECT format('id=%s', o.id),
       format('%s "%s" has version %s, and its history has reached %s', o.object_type,
              o.full_name, o.version, COALESCE(h.new_version, h.old_version))
  FROM suspect AS o
  JOIN ONLY pggit.history AS h ON h.id = o.history_id
 WHERE h.created_at = o.updated_at
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS s
                    WHERE s.object_type = o.object_type
                      AND s.schema_name = o.schema_name
                      AND s.object_name = o.object_name
                      AND s.branch_name <> o.branch_name
                      AND s.version = o.version)
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_version_mismatch', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('version',
              (SELECT COALESCE(h.new_version, h.old_version)
                 FROM ONLY pggit.history AS h
                WHERE h.object_id = t.id
                ORDER BY h.id DESC
                LIMIT 1)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
