--
-- The audit trail reads on as if nothing had been there.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'history_gap', 'history',
    'a change in the middle of a history is gone',
    '{history_version_gap}',
    '{pggit.history.id,pggit.history.object_id,pggit.history.old_version,'
    'pggit.history.new_version,pggit.objects.id,pggit.objects.object_type,'
    'pggit.objects.schema_name,pggit.objects.object_name,pggit.objects.branch_name}',
    'delete', 'pggit.history',
$query$
WITH step AS (
    SELECT h.ctid, h.id, h.object_id,
           max(COALESCE(h.new_version, h.old_version)) OVER (
               before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached,
           lead(h.old_version) OVER before AS next_version
      FROM ONLY pggit.history AS h
    WINDOW before AS (PARTITION BY h.object_id ORDER BY h.id))
SELECT s.ctid AS victim
  FROM step AS s
 WHERE s.next_version > s.reached
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.objects AS o
                     JOIN ONLY pggit.objects AS k
                       ON k.object_type = o.object_type
                      AND k.schema_name = o.schema_name
                      AND k.object_name = o.object_name
                      AND k.branch_name <> o.branch_name
                     JOIN ONLY pggit.history AS h ON h.object_id = k.id
                    WHERE o.id = s.object_id)
 ORDER BY @extschema@._pick($1, s.id::text), s.id
 LIMIT 1
$query$);
