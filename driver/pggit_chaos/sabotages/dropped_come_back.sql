-- category: property
-- A new branch has, as if they were there, the objects that its parent has dropped.
CREATE OR REPLACE FUNCTION pggit._copy_objects(source_branch_id integer, target pggit.branches)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH source AS MATERIALIZED (
        SELECT o.*, nextval('pggit.objects_id_seq')::integer AS copy_id
          FROM (SELECT * FROM pggit.objects
                 WHERE branch_id = source_branch_id ORDER BY id) AS o),
    copied AS (
        INSERT INTO pggit.objects (id, object_type, schema_name, object_name, parent_id,
                                   content_hash, branch_id, branch_name, version, version_major,
                                   version_minor, version_patch, metadata, ddl_hash, created_at,
                                   updated_at)
        SELECT s.copy_id, s.object_type, s.schema_name, s.object_name, p.copy_id,
               s.content_hash, target.id, target.name, s.version, s.version_major,
               s.version_minor, s.version_patch, s.metadata, s.ddl_hash, target.created_at,
               target.created_at
          FROM source AS s
          LEFT JOIN source AS p ON p.id = s.parent_id
         ORDER BY s.copy_id)
    INSERT INTO pggit.dependencies (dependent_id, depends_on_id, branch_id, dependency_type,
                                    metadata, created_at)
    SELECT a.copy_id, b.copy_id, target.id, d.dependency_type, d.metadata, target.created_at
      FROM pggit.dependencies AS d
      JOIN source AS a ON a.id = d.dependent_id
      JOIN source AS b ON b.id = d.depends_on_id
     ORDER BY d.id;
$function$;
