--
-- _pggit_schemas(), _require_pggit(), _present(names), _has(requires)
--
-- What of pgGit this database holds, read from the catalogue.  No version
-- string is trusted.  Write nothing.
--
CREATE FUNCTION @extschema@._pggit_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- pggit_base and pggit_branches hold the users' own tables and their copies,
    -- put there by data branches.
    SELECT COALESCE(array_agg(n.nspname ORDER BY n.nspname), '{}')
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname ~ '^pggit(_|$)'
       AND n.nspname NOT IN ('@extschema@', 'pggit_base', 'pggit_branches');
$function$;
COMMENT ON FUNCTION @extschema@._pggit_schemas() IS
    'Names the schemas of this database that belong to pgGit.';

CREATE FUNCTION @extschema@._require_pggit()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF cardinality(@extschema@._pggit_schemas()) = 0 THEN
        RAISE EXCEPTION 'database "%" has no pgGit', current_database()
            USING ERRCODE = 'PC002',
                  DETAIL = 'There is no schema "pggit".',
                  HINT = 'Install pgGit here, or connect to the database that has it.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_pggit() IS
    'Raises PC002 where this database has no schema of pgGit.';

CREATE FUNCTION @extschema@._present(names text[])
RETURNS text[]
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- All names are looked up by one query: a list of what applies asks once for all its rows.
    -- Many of them want the same.
    SELECT ARRAY(SELECT r.name
                   FROM (SELECT DISTINCT n.name FROM unnest(names) AS n(name)) AS r
                   JOIN pg_catalog.pg_namespace AS n ON n.nspname = split_part(r.name, '.', 1)
                   JOIN pg_catalog.pg_class AS c
                     ON c.relnamespace = n.oid
                    AND c.relname = split_part(r.name, '.', 2)
                   LEFT JOIN pg_catalog.pg_attribute AS a
                     ON a.attrelid = c.oid
                    AND a.attname = split_part(r.name, '.', 3)
                    AND a.attnum > 0
                    AND NOT a.attisdropped
                  WHERE split_part(r.name, '.', 3) = ''
                     OR a.attname IS NOT NULL);
$function$;
COMMENT ON FUNCTION @extschema@._present(text[]) IS
    'Those of the names, schema.table or schema.table.column, that exist.';

CREATE FUNCTION @extschema@._has(requires text[])
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT requires <@ @extschema@._present(requires);
$function$;
COMMENT ON FUNCTION @extschema@._has(text[]) IS
    'Answers whether every relation and column named as schema.table or schema.table.column exists.';

--
-- _require_replica_role()
--
-- Raises 42501 unless session_replication_role may be set here.  pgGit versions
-- every DDL statement but those of the replica role, ours must not be among
-- them, and foreign keys do not stand in the way of a corruption there.
--
CREATE FUNCTION @extschema@._require_replica_role()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT has_parameter_privilege('session_replication_role', 'SET') THEN
        RAISE EXCEPTION 'role "%" may not set session_replication_role', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'pgGit and its foreign keys rest under the replica role only.',
                  HINT = format('Ask a superuser to run: '
                                'GRANT SET ON PARAMETER session_replication_role TO %I;',
                                current_user);
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_replica_role() IS
    'Raises 42501 where the caller may not set session_replication_role.';
