-- category: resource
-- To record a column reads every object: a table of n columns costs n times n.
CREATE OR REPLACE FUNCTION pggit._set_columns(table_id integer, columns jsonb)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    DELETE FROM pggit.objects AS o
     WHERE o.parent_id = table_id
       AND o.object_type = 'COLUMN'
       AND NOT COALESCE(columns, '{}') ? o.object_name;

    INSERT INTO pggit.objects AS o (object_type, schema_name, object_name, parent_id, branch_id,
                                    branch_name, metadata, created_at, updated_at)
    SELECT 'COLUMN', t.schema_name, c.name, t.id, t.branch_id, t.branch_name, c.metadata,
           LOCALTIMESTAMP, LOCALTIMESTAMP
      FROM pggit.objects AS t
     CROSS JOIN jsonb_each(columns) AS c(name, metadata)
     WHERE t.id = table_id
     ORDER BY (SELECT count(*)
                 FROM pggit.objects AS o
                WHERE starts_with(o.full_name, t.full_name || '.')
                  AND (o.metadata ->> 'position')::integer < (c.metadata ->> 'position')::integer),
              (c.metadata ->> 'position')::integer, c.name
    ON CONFLICT (object_type, schema_name, object_name, branch_name) DO UPDATE
       SET parent_id = EXCLUDED.parent_id, metadata = EXCLUDED.metadata,
           updated_at = greatest(o.updated_at, EXCLUDED.updated_at)
     WHERE (o.parent_id, o.metadata) IS DISTINCT FROM (EXCLUDED.parent_id, EXCLUDED.metadata);
$function$;
