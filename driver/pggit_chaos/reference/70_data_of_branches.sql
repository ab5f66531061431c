--
-- Which tables can be branched, and where a branch has its copy of one.
--
CREATE FUNCTION pggit._name_parts(relation regclass)
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY[n.nspname, c.relname]
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = relation;
$function$;

CREATE FUNCTION pggit._versioned_table(table_name text)
RETURNS regclass
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := pggit._relation(table_name);
BEGIN
    IF table_name IS NULL THEN
        RAISE EXCEPTION 'table name must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF v_relation IS NULL THEN
        RAISE EXCEPTION 'table "%" does not exist', table_name
            USING ERRCODE = 'undefined_table',
                  HINT = 'A name without a schema is one of public.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class AS c
                    WHERE c.oid = v_relation
                      AND c.relkind IN ('r', 'p')
                      AND pggit._is_versioned((pggit._name_parts(c.oid))[1])) THEN
        RAISE EXCEPTION '"%" is not a table that pgGit versions', table_name
            USING ERRCODE = 'wrong_object_type';
    END IF;
    RETURN v_relation;
END;
$function$;

-- Where a branch keeps its copy of a table.
CREATE FUNCTION pggit._copy_name(source regclass, branch_name text)
RETURNS name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    -- A long name is cut to fit; the hash keeps two that begin alike apart.
    SELECT CASE WHEN octet_length(f.name) < 64 THEN f.name
           ELSE left(pggit._sha256(f.name), 8) || ' ' || f.name END
      FROM (SELECT format('%s %I.%I', branch_name, p.part[1], p.part[2])
              FROM (SELECT pggit._name_parts(source)) AS p(part)) AS f(name);
$function$;

-- What a branch has of a table: its own copy, or else the table itself.
CREATE FUNCTION pggit._data_of_branch(source regclass, branch_name text)
RETURNS regclass
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE((SELECT to_regclass(format('%I.%I', t.branch_schema, t.branch_table))
                       FROM pggit.branched_tables AS t
                      WHERE ARRAY[t.source_schema, t.source_table] = pggit._name_parts(source)
                        AND t.branch_name = _data_of_branch.branch_name),
                    source);
$function$;

CREATE FUNCTION pggit._tables_of_branch(branch_id integer)
RETURNS SETOF regclass
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A partition's rows come with its table.
    SELECT c.oid::regclass
      FROM pggit.objects AS o
     CROSS JOIN LATERAL pggit._find(o.object_type, o.schema_name, o.object_name) AS f
      JOIN pg_class AS c ON c.oid = f.objid
     WHERE o.branch_id = _tables_of_branch.branch_id
       AND o.object_type = 'TABLE'
       AND o.is_active
       AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition
     ORDER BY o.id;
$function$;
