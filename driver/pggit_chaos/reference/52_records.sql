--
-- The records of objects that schema tracking and merging write.
--

-- Finds or makes the record of an object.  A new one has no content yet: the
-- change that follows gives it one.
CREATE FUNCTION pggit._object_row(
    object_type pggit.object_type, schema_name text, object_name text, parent_id integer,
    branch pggit.branches)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_object pggit.objects;
BEGIN
    INSERT INTO pggit.objects (object_type, schema_name, object_name, parent_id, branch_id,
                               branch_name, created_at, updated_at)
    VALUES (object_type, schema_name, object_name, parent_id, branch.id, branch.name,
            LOCALTIMESTAMP, LOCALTIMESTAMP)
    ON CONFLICT ON CONSTRAINT objects_object_type_schema_name_object_name_branch_name_key
    DO UPDATE SET parent_id = EXCLUDED.parent_id
    RETURNING * INTO v_object;
    RETURN v_object.id;
END;
$function$;

-- Makes a table's columns those given: an object of name and metadata.  Columns
-- have no versions of their own: what a table has now is here, what it had is
-- in the history of the table.
CREATE FUNCTION pggit._set_columns(table_id integer, columns jsonb)
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
     ORDER BY (c.metadata ->> 'position')::integer, c.name
    ON CONFLICT (object_type, schema_name, object_name, branch_name) DO UPDATE
       SET parent_id = EXCLUDED.parent_id, metadata = EXCLUDED.metadata,
           updated_at = greatest(o.updated_at, EXCLUDED.updated_at)
     WHERE (o.parent_id, o.metadata) IS DISTINCT FROM (EXCLUDED.parent_id, EXCLUDED.metadata);
$function$;

-- Records that an object is no more, and with it its indexes, columns and
-- dependencies.
CREATE FUNCTION pggit._retire_object(object_id integer, description text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit._retire_object(o.id, description)
       FROM pggit.objects AS o
      WHERE o.parent_id = object_id AND o.object_type = 'INDEX' AND o.is_active;
    PERFORM pggit._set_columns(object_id, '{}');
    DELETE FROM pggit.dependencies AS d WHERE object_id IN (d.dependent_id, d.depends_on_id);
    PERFORM pggit._change_object(object_id, 'DROP', 'MAJOR', description, NULL, NULL, NULL);
END;
$function$;
