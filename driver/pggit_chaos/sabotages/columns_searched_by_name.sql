-- category: resource
-- To record a column reads every object: a table of n columns costs n times n.
CREATE OR REPLACE FUNCTION pggit._set_columns(table_id integer, columns jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_column record;
BEGIN
    DELETE FROM pggit.objects AS o
     WHERE o.parent_id = table_id
       AND o.object_type = 'COLUMN'
       AND NOT COALESCE(columns, '{}') ? o.object_name;

    FOR v_column IN
        SELECT c.name, c.metadata
          FROM jsonb_each(columns) AS c(name, metadata)
         ORDER BY (c.metadata ->> 'position')::integer, c.name
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pggit.objects AS o
             WHERE o.parent_id::text = table_id::text
               AND o.object_type::text = 'COLUMN'
               AND o.object_name = v_column.name
               AND o.metadata = v_column.metadata);
        INSERT INTO pggit.objects AS o (object_type, schema_name, object_name, parent_id, branch_id,
                                        branch_name, metadata, created_at, updated_at)
        SELECT 'COLUMN', t.schema_name, v_column.name, t.id, t.branch_id, t.branch_name,
               v_column.metadata, LOCALTIMESTAMP, LOCALTIMESTAMP
          FROM pggit.objects AS t
         WHERE t.id = table_id
        ON CONFLICT (object_type, schema_name, object_name, branch_name) DO UPDATE
           SET parent_id = EXCLUDED.parent_id, metadata = EXCLUDED.metadata,
               updated_at = greatest(o.updated_at, EXCLUDED.updated_at)
         WHERE (o.parent_id, o.metadata) IS DISTINCT FROM (EXCLUDED.parent_id, EXCLUDED.metadata);
    END LOOP;
END;
$function$;
