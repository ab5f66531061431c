--
-- No order of creation fulfils it. The id is below all others, and so no
-- sequence falls behind.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'dependency_cycle', 'dependency',
    'two objects depend on each other',
    '{dependency_cycle}',
    '{pggit.dependencies.id,pggit.dependencies.dependent_id,pggit.dependencies.depends_on_id,'
    'pggit.dependencies.dependency_type}',
    'insert', 'pggit.dependencies',
$query$
SELECT to_jsonb(d) || jsonb_build_object('id', (SELECT least(min(k.id), 1) - 1
                                                  FROM ONLY pggit.dependencies AS k),
                                         'dependent_id', d.depends_on_id,
                                         'depends_on_id', d.dependent_id,
                                         'dependency_type', 'generic') AS new_row
  FROM ONLY pggit.dependencies AS d
 WHERE d.dependent_id <> d.depends_on_id
   AND NOT EXISTS (SELECT
                     FROM ONLY pggit.dependencies AS k
                    WHERE k.dependent_id = d.depends_on_id
                      AND k.depends_on_id = d.dependent_id)
   AND d.id BETWEEN $2 AND $3
 ORDER BY d.id
 LIMIT 1
$query$);
