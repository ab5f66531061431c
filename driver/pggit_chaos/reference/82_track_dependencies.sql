--
-- Dependencies: a table on those its foreign keys refer to, a view on what it
-- reads.
--
CREATE FUNCTION pggit._dependencies_of(relation oid)
RETURNS TABLE (depends_on oid, dependency_type text)
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT c.confrelid, 'foreign_key'
      FROM pg_constraint AS c
     WHERE c.conrelid = relation AND c.contype = 'f'
     UNION
    SELECT d.refobjid, 'view'
      FROM pg_rewrite AS r
      JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
      JOIN pg_class AS v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
     WHERE r.ev_class = relation;
$function$;

CREATE FUNCTION pggit._track_dependencies(classid oid, objid oid, branch pggit.branches)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id integer := (pggit._record_of(classid, objid, branch.id)).id;
BEGIN
    IF v_id IS NULL OR classid <> 'pg_class'::regclass THEN
        RETURN;
    END IF;
    WITH wanted AS MATERIALIZED (
        SELECT r.id, min(d.dependency_type) AS dependency_type
          FROM pggit._dependencies_of(objid) AS d
         CROSS JOIN LATERAL pggit._record_of('pg_class'::regclass, d.depends_on, branch.id) AS r
         WHERE r.id IS NOT NULL
         GROUP BY r.id),
    unwanted AS (
        DELETE FROM pggit.dependencies AS d
         WHERE d.dependent_id = v_id
           AND d.dependency_type IN ('foreign_key', 'view')
           AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.id = d.depends_on_id))
    INSERT INTO pggit.dependencies (dependent_id, depends_on_id, branch_id, dependency_type,
                                    created_at)
    SELECT v_id, w.id, branch.id, w.dependency_type, LOCALTIMESTAMP
      FROM wanted AS w
     ORDER BY w.id
    ON CONFLICT (dependent_id, depends_on_id) DO NOTHING;
END;
$function$;
