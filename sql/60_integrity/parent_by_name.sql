--
-- _parent_by_name(object_id)
--
-- The object that another is named after or made on: the table or view of a
-- column, the table of an index as the catalogue has it, NULL for all others.
-- For repairs.  Writes: nothing.
--
CREATE FUNCTION @extschema@._parent_by_name(object_id integer)
RETURNS integer
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (
        SELECT p.id
          FROM ONLY pggit.objects AS o
          JOIN ONLY pggit.objects AS p
            ON p.branch_name = o.branch_name
           AND p.schema_name = o.schema_name
           AND p.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'PARTITION')
         WHERE o.id = object_id
           AND CASE o.object_type
                   WHEN 'COLUMN' THEN starts_with(o.full_name, p.full_name || '.')
                   WHEN 'INDEX' THEN EXISTS (
                       SELECT
                         FROM pg_catalog.pg_index AS x
                         JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
                         JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid
                         JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
                        WHERE n.nspname = o.schema_name
                          AND quote_ident(i.relname) = o.object_name
                          AND quote_ident(t.relname) = p.object_name)
               END
         ORDER BY length(p.full_name) DESC, p.id
         LIMIT 1);
END;
$function$;
COMMENT ON FUNCTION @extschema@._parent_by_name(integer) IS
    'Answers which object the name of a column or the catalogue''s index says is the parent.';
