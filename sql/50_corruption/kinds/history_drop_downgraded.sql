--
-- Whoever reads only the major changes would miss it.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_drop_downgraded', 'history',
    'a drop is recorded as a minor change',
    '{history_drop_malformed}',
    '{pggit.history.id,pggit.history.change_type,pggit.history.change_severity}',
    'update', 'pggit.history',
$query$
SELECT h.ctid AS victim,
       jsonb_build_object('change_severity', 'MINOR') AS change
  FROM ONLY pggit.history AS h
 WHERE h.change_type = 'DROP'
   AND h.change_severity = 'MAJOR'
   AND h.id BETWEEN $2 AND $3
 ORDER BY h.id
 LIMIT 1
$query$);
