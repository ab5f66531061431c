--
-- It walks from the edges that run against the order of ids: each cycle has
-- one.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_parent_cycle', 'object', 'error', true, 'pggit.objects',
    'no object is its own ancestor',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.full_name,pggit.objects.parent_id}',
    'Set parent_id of one object of the cycle to its true parent, or to NULL.',
$query$
WITH RECURSIVE walk(id, next) AS (
    SELECT o.id, o.parent_id
      FROM ONLY pggit.objects AS o
     WHERE o.parent_id >= o.id
    UNION
    SELECT w.id, p.parent_id
      FROM walk AS w
     CROSS JOIN LATERAL (SELECT p.parent_id
                           FROM ONLY pggit.objects AS p
                          WHERE p.id = w.next
                          LIMIT 1) AS p
     WHERE w.next <> w.id)
SELECT format('id=%s', o.id),
       format('%s "%s" is its own ancestor', o.object_type, o.full_name)
  FROM walk AS w
  JOIN ONLY pggit.objects AS o ON o.id = w.id
 WHERE w.next = w.id
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'object_parent_cycle', 'update', 'pggit.objects',
$query$
SELECT t.ctid AS victim,
       jsonb_build_object('parent_id', @extschema@._parent_by_name(t.id)) AS change
  FROM finding AS f
  JOIN ONLY pggit.objects AS t ON f.row_identity = format('id=%s', t.id)
$query$);
