--
-- What an object is called in pggit.objects, and what is recorded of it.
--
-- Names are spelled as in SQL, quoted where need be: a column "a.b" of table c
-- and a column b of table "c.a" stay apart, and so do overloaded functions.
--
CREATE FUNCTION pggit._object_type(catalog_type text)
RETURNS pggit.object_type
LANGUAGE sql
IMMUTABLE
RETURN CASE catalog_type
       WHEN 'table' THEN 'TABLE'::pggit.object_type
       WHEN 'foreign table' THEN 'TABLE'::pggit.object_type
       WHEN 'view' THEN 'VIEW'::pggit.object_type
       WHEN 'materialized view' THEN 'MATERIALIZED_VIEW'::pggit.object_type
       WHEN 'index' THEN 'INDEX'::pggit.object_type
       WHEN 'function' THEN 'FUNCTION'::pggit.object_type
       WHEN 'procedure' THEN 'PROCEDURE'::pggit.object_type
       END;

CREATE FUNCTION pggit._object_name(catalog_type text, names text[], arguments text[])
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    -- A type of PostgreSQL's own goes by its plain name; all others are qualified.
    SELECT quote_ident(names[2])
           || CASE WHEN catalog_type IN ('function', 'procedure')
              THEN '(' || COALESCE((SELECT string_agg(regexp_replace(a.type, '^pg_catalog\.', ''),
                                                      ', ' ORDER BY a.place)
                                      FROM unnest(arguments) WITH ORDINALITY AS a(type, place)), '')
                   || ')'
              ELSE '' END;
$function$;

-- pgGit's own relations and those of PostgreSQL are nobody's schema change.
CREATE FUNCTION pggit._is_versioned(schema_name text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
RETURN schema_name !~ '^(pg_|pggit$|pggit_)' AND schema_name <> 'information_schema';

-- No row: not an object that is versioned.
CREATE FUNCTION pggit._identity(classid oid, objid oid)
RETURNS TABLE (object_type pggit.object_type, schema_name text, object_name text)
LANGUAGE sql
STABLE
ROWS 1
BEGIN ATOMIC
    SELECT pggit._object_type(i.type), i.object_names[1],
           pggit._object_name(i.type, i.object_names, i.object_args)
      FROM pg_identify_object_as_address(classid, objid, 0) AS i
     WHERE pggit._object_type(i.type) IS NOT NULL
       AND pggit._is_versioned(i.object_names[1]);
END;

CREATE FUNCTION pggit._find(object_type pggit.object_type, schema_name text, object_name text)
RETURNS TABLE (classid oid, objid oid)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    WITH candidate AS (
        SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid
          FROM pg_class AS c
         WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = schema_name)
           AND quote_ident(c.relname) = object_name
         UNION ALL
        SELECT 'pg_proc'::regclass, p.oid
          FROM pg_proc AS p
         WHERE p.pronamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = schema_name)
           AND starts_with(object_name, quote_ident(p.proname) || '('))
    SELECT c.classid, c.objid
      FROM candidate AS c
     CROSS JOIN LATERAL pg_identify_object_as_address(c.classid, c.objid, 0) AS i
     WHERE pggit._object_type(i.type) = _find.object_type
       AND pggit._object_name(i.type, i.object_names, i.object_args) = _find.object_name;
$function$;

-- The tables that a table is a partition or a child of, by name.
CREATE FUNCTION pggit._parents(relation oid)
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_agg(p.schema_name || '.' || p.object_name ORDER BY i.inhseqno)
      FROM pg_inherits AS i
     CROSS JOIN LATERAL pggit._identity('pg_class'::regclass, i.inhparent) AS p
     WHERE i.inhrelid = relation;
$function$;

CREATE FUNCTION pggit._metadata(classid oid, objid oid)
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object('oid', objid::text)
           || COALESCE((SELECT CASE
                        WHEN c.relkind IN ('r', 'p', 'f') THEN
                            jsonb_build_object('columns', (
                                SELECT COALESCE(jsonb_object_agg(l.name, l.definition), '{}')
                                  FROM pggit._columns(c.oid) AS l))
                            || jsonb_strip_nulls(jsonb_build_object('parents',
                                                                    pggit._parents(c.oid)))
                        WHEN c.relkind IN ('i', 'I') THEN jsonb_build_object('table',
                             (SELECT t.relname
                                FROM pg_index AS x
                                JOIN pg_class AS t ON t.oid = x.indrelid
                               WHERE x.indexrelid = c.oid))
                        END
                   FROM pg_class AS c
                  WHERE c.oid = objid AND classid = 'pg_class'::regclass), '{}');
$function$;

CREATE FUNCTION pggit._ddl_hash(classid oid, objid oid)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._sha256(CASE classid WHEN 'pg_proc'::regclass THEN pggit._routine_definition(objid)
                         ELSE pggit._relation_definition(objid) END);
$function$;

-- What two branches are compared by: all that is recorded of an object but its
-- oid, which a re-creation changes and which means nothing after a restore.
CREATE FUNCTION pggit._content_hash(ddl_hash text, metadata jsonb)
RETURNS text
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._sha256(COALESCE(ddl_hash, '') || (COALESCE(metadata, '{}') - 'oid'));
$function$;

CREATE FUNCTION pggit.compute_ddl_hash(
    p_object_type pggit.object_type, p_schema_name text, p_object_name text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT pggit._ddl_hash(f.classid, f.objid)
              FROM pggit._find(p_object_type, p_schema_name, p_object_name) AS f);
END;
$function$;
COMMENT ON FUNCTION pggit.compute_ddl_hash(pggit.object_type, text, text) IS
    'Answers the SHA-256 of an object''s definition, NULL where it does not exist.';

CREATE FUNCTION pggit.calculate_schema_hash(p_table_name text)
RETURNS text
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT pggit._ddl_hash('pg_class'::regclass, c.oid)
              FROM pg_class AS c
             WHERE c.oid = pggit._relation(p_table_name)
               AND c.relkind IN ('r', 'p', 'f'));
END;
$function$;
COMMENT ON FUNCTION pggit.calculate_schema_hash(text) IS
    'Answers the SHA-256 of a table''s definition; public need not be named.';

-- A name without a schema is one of public, whatever the caller's search_path:
-- what is versioned under a name must not depend on who asks.
CREATE FUNCTION pggit._relation(name text)
RETURNS regclass
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_regclass(format(CASE cardinality(p.part) WHEN 1 THEN 'public.%I' ELSE '%I.%I' END,
                              VARIADIC p.part))
      FROM (SELECT parse_ident(name)) AS p(part)
     WHERE cardinality(p.part) <= 2;
$function$;
