--
-- Where it is the last change, the object is not at that version either.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_version_skipped', 'history',
    'a change raises the version by two',
    '{history_version_step,object_version_mismatch}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.change_type,'
    'pggit.history.old_version,pggit.history.new_version}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('new_version', h.new_version + 1) AS change
  FROM ONLY pggit.history AS h
 WHERE h.change_type <> 'DROP'
   AND h.new_version = h.old_version + 1
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
