--
-- digest(), state_digest()
--
-- A hash of all of pgGit's logical state: the rows of its tables, whatever their
-- order on disk, the positions of its sequences, and the definitions of its
-- objects.  Two databases with one state_digest() hold one pgGit.
-- Write: nothing.  Lock: ACCESS SHARE.
--
CREATE FUNCTION @extschema@.digest()
RETURNS TABLE (relation text, row_count bigint, digest text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET row_security = off
AS $function$
DECLARE
    v_schemas name[] := @extschema@._state_schemas();
    v_relation record;
BEGIN
    PERFORM @extschema@._require_pggit();
    FOR v_relation IN
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY (v_schemas)
           AND c.relkind IN ('r', 'm', 'S')
         ORDER BY n.nspname, c.relname
    LOOP
        relation := v_relation.name;
        SELECT h.row_count, h.digest INTO row_count, digest
          FROM @extschema@._row_digest(v_relation.oid) AS h;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
        SELECT 'definition of ' || d.kind, count(*),
               md5(string_agg(md5(d.object || ' ' || d.definition), ''
                              ORDER BY d.object, d.definition))
          FROM (SELECT o.* FROM @extschema@._definitions(v_schemas) AS o
                UNION ALL
                SELECT f.* FROM @extschema@._function_definitions(v_schemas) AS f) AS d
         GROUP BY d.kind
         ORDER BY d.kind;
END;
$function$;
COMMENT ON FUNCTION @extschema@.digest() IS
    'Hashes the rows, sequences and definitions of pgGit, one row a relation or kind of definition.';

CREATE FUNCTION @extschema@.state_digest()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT md5(string_agg(concat_ws(' ', d.relation, d.row_count, d.digest), E'\n'
                          ORDER BY d.relation))
      FROM @extschema@.digest() AS d;
$function$;
COMMENT ON FUNCTION @extschema@.state_digest() IS
    'Hashes digest() into one value: equal values mean that pgGit is in the same state.';

--
-- _state_schemas()
--
-- pgGit's own schemas and those into which its data branches move tables.
--
CREATE FUNCTION @extschema@._state_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT @extschema@._pggit_schemas()
           || ARRAY(SELECT n.nspname
                      FROM pg_catalog.pg_namespace AS n
                     WHERE n.nspname IN ('pggit_base', 'pggit_branches')
                     ORDER BY n.nspname);
$function$;
COMMENT ON FUNCTION @extschema@._state_schemas() IS
    'Names the schemas whose tables and definitions make up the state of pgGit.';

--
-- _row_digest(relation)
--
-- Sums a hash of each row, so that no sort is needed and the order of the rows
-- on disk does not count.  The settings that change how a value prints are
-- pinned.
--
CREATE FUNCTION @extschema@._row_digest(relation regclass, OUT row_count bigint, OUT digest text)
RETURNS record
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $function$
BEGIN
    EXECUTE format('SELECT count(*), COALESCE(md5(sum(hashtextextended(%s, 0))::text), %L) '
                   'FROM ONLY %s AS t',
                   CASE (SELECT c.relkind FROM pg_catalog.pg_class AS c WHERE c.oid = relation)
                       -- A sequence has a third column that counts ahead in the WAL.
                       WHEN 'S' THEN 'concat_ws('' '', t.last_value, t.is_called)'
                       ELSE 't::text'
                   END, '', relation)
       INTO row_count, digest;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_digest(regclass) IS
    'Counts and hashes the rows of one relation, whatever their order.';
