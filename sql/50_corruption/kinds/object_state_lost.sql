--
-- No function of pgGit finds the object any more.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_state_lost', 'object',
    'an object is neither active nor inactive',
    '{object_state_unknown}',
    '{pggit.objects.id,pggit.objects.is_active}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('is_active', NULL) AS change
  FROM ONLY pggit.objects AS o
 WHERE o.is_active
   AND o.id BETWEEN $2 AND $3
 ORDER BY o.id
 LIMIT 1
$query$);
