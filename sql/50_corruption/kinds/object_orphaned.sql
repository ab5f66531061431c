--
-- A branch that was renamed by hand. The lost name is made of all names, and
-- so it is none of them.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'object_orphaned', 'object',
    'an object is on a branch that does not exist',
    '{object_branch_missing}',
    '{pggit.objects.id,pggit.objects.full_name,pggit.objects.branch_name,pggit.branches.name}',
    'update', 'pggit.objects',
$query$
SELECT o.ctid AS victim,
       jsonb_build_object('branch_name', md5(string_agg(b.name, ' ' ORDER BY b.id))) AS change
  FROM (SELECT k.ctid
          FROM ONLY pggit.objects AS k
         WHERE k.branch_name IN (SELECT b.name FROM ONLY pggit.branches AS b)
           AND k.id BETWEEN $2 AND $3
         ORDER BY k.id
         LIMIT 1) AS o
 CROSS JOIN ONLY pggit.branches AS b
 GROUP BY o.ctid
$query$);
