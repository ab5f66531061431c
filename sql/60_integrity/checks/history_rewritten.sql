--
-- As commit_rewritten, of all columns but the commit that a change belongs to: a pgGit
-- may write it when that is made.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'history_rewritten', 'history', 'error', true, 'pggit.history',
    'a history row reads as it did when it was recorded',
    '{@extschema@._recorded_digest,pggit.history.id,pggit.history.object_id,'
    'pggit.history.change_type,pggit.history.change_severity,pggit.history.branch_id,'
    'pggit.history.merge_base_hash,pggit.history.merge_resolution,pggit.history.old_version,'
    'pggit.history.new_version,pggit.history.old_metadata,pggit.history.new_metadata,'
    'pggit.history.change_description,pggit.history.sql_executed,pggit.history.created_at,'
    'pggit.history.created_by,pggit.history.old_hash,pggit.history.new_hash}',
    'Find out who changed it, and restore the row from a backup; where the change was meant, '
    'record it: SELECT * FROM pggit_chaos.record_digests(''{history}'', replace => true).',
$query$
SELECT n.row_identity,
       format('history row %s reads otherwise than it did when it was recorded at %s: '
              '%s, and not %s', n.id, d.recorded_at, left(encode(n.digest, 'hex'), 8),
              left(encode(d.digest, 'hex'), 8))
  FROM (SELECT 'id=' || h.id AS row_identity, h.id,
               sha256(convert_to(ROW(h.object_id, h.change_type, h.change_severity, h.branch_id,
                                     h.merge_base_hash, h.merge_resolution, h.old_version,
                                     h.new_version, h.old_metadata, h.new_metadata,
                                     h.change_description, h.sql_executed,
                                     extract(epoch FROM h.created_at), h.created_by,
                                     h.old_hash, h.new_hash)::text, 'UTF8')) AS digest
          FROM ONLY pggit.history AS h
        OFFSET 0) AS n
  JOIN @extschema@._recorded_digest AS d ON d.row_identity = n.row_identity
 WHERE d.subject = 'history'
   AND d.digest <> n.digest
$query$,
    'history');

INSERT INTO @extschema@._recording (subject, check_id, query)
VALUES (
    'history', 'history_rewritten',
$query$
SELECT 'id=' || h.id,
       sha256(convert_to(ROW(h.object_id, h.change_type, h.change_severity, h.branch_id,
                             h.merge_base_hash, h.merge_resolution, h.old_version,
                             h.new_version, h.old_metadata, h.new_metadata,
                             h.change_description, h.sql_executed,
                             extract(epoch FROM h.created_at), h.created_by,
                             h.old_hash, h.new_hash)::text, 'UTF8'))
  FROM ONLY pggit.history AS h
$query$);
