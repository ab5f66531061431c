-- category: corruption
-- What an object no longer depends on stays recorded as a dependency.
CREATE OR REPLACE FUNCTION pggit._track_dependencies(classid oid, objid oid, branch pggit.branches)
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
         GROUP BY r.id)
    INSERT INTO pggit.dependencies (dependent_id, depends_on_id, branch_id, dependency_type,
                                    created_at)
    SELECT v_id, w.id, branch.id, w.dependency_type, LOCALTIMESTAMP
      FROM wanted AS w
     ORDER BY w.id
    ON CONFLICT (dependent_id, depends_on_id) DO NOTHING;
END;
$function$;
