--
-- What a statement did, as it is compared between runs.
--
-- A picture is a JSON object of aspects: one entry a column of each watched
-- table, one for the number of its rows, one each for the functions and the other
-- definitions in the catalogue, one a setting of pgGit's, one for the answer.  Each entry
-- is an array of three digests of the same thing, ever more forgiving: as it is; with every
-- run of hexadecimal digits masked; whether it is null.  Two undisturbed runs tell which of the
-- three is reproducible (clock_timestamp(), random UUIDs and OIDs are not).
--
-- _picture(relations), _aspects(value), _column_aspects(relation)
--
CREATE FUNCTION @extschema@._picture(relations text[])
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_picture  jsonb := '{}';
    v_relation text;
BEGIN
    FOR v_relation IN SELECT DISTINCT r.name FROM unnest(relations) AS r(name) LOOP
        IF v_relation IN ('definitions', 'functions') THEN
            v_picture := v_picture || (
                SELECT jsonb_build_object(v_relation, @extschema@._aspects(
                           string_agg(concat_ws(' ', d.kind, d.object, d.definition), E'\n'
                                      ORDER BY d.kind, d.object, d.definition)))
                  FROM (SELECT o.*
                          FROM @extschema@._definitions(@extschema@._world_schemas()) AS o
                         WHERE v_relation = 'definitions'
                        UNION ALL
                        SELECT f.*
                          FROM @extschema@._function_definitions(@extschema@._world_schemas()) AS f
                         WHERE v_relation = 'functions') AS d);
        ELSIF v_relation LIKE 'setting %' THEN
            v_picture := v_picture || jsonb_build_object(v_relation, @extschema@._aspects(
                current_setting(substr(v_relation, length('setting ') + 1), true)));
        ELSIF to_regclass(v_relation) IS NOT NULL THEN
            v_picture := v_picture || @extschema@._column_aspects(v_relation::regclass);
        END IF;
    END LOOP;
    RETURN v_picture;
END;
$function$;
COMMENT ON FUNCTION @extschema@._picture(text[]) IS
    'Takes a picture of relations, for comparison with one of another run.';

CREATE FUNCTION @extschema@._aspects(value text)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_array(md5(value),
                             md5(regexp_replace(value, '[0-9a-f]+', '#', 'gi')),
                             value IS NULL);
$function$;
COMMENT ON FUNCTION @extschema@._aspects(text) IS
    'Digests a value three times: as it is, with its numbers masked, whether it is null.';

CREATE FUNCTION @extschema@._column_aspects(relation regclass)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $function$
DECLARE
    v_name    text := relation::text;
    v_columns text;
    v_aspects jsonb;
BEGIN
    SELECT string_agg(
               format(E',\n%L, jsonb_build_array('
                      'sum(hashtextextended(t.%I::text, 0)), '
                      'sum(hashtextextended(regexp_replace(t.%I::text, ''[0-9a-f]+'', ''#'', ''gi''),'
                      ' 0)), count(t.%I))',
                      v_name || '.' || a.attname, a.attname, a.attname, a.attname),
               '' ORDER BY a.attnum)
      INTO v_columns
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped;
    EXECUTE format('SELECT jsonb_build_object(%L, jsonb_build_array(count(*), count(*), count(*))%s)'
                   ' FROM ONLY %s AS t', v_name, v_columns, v_name)
       INTO v_aspects;
    RETURN v_aspects;
END;
$function$;
COMMENT ON FUNCTION @extschema@._column_aspects(regclass) IS
    'Digests each column of a relation three times, whatever the order of its rows.';

--
-- _pggit_settings()
--
-- PostgreSQL lists no custom settings: pgGit's own code says which it uses.
--
CREATE FUNCTION @extschema@._pggit_settings()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT DISTINCT 'setting ' || m.match[1]
                   FROM pg_catalog.pg_proc AS p
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                  CROSS JOIN LATERAL regexp_matches(p.prosrc,
                            '(?:set_config|current_setting)\s*\(\s*''(pggit\w*\.\w+)''', 'gi')
                            AS m(match)
                  WHERE n.nspname = ANY (@extschema@._pggit_schemas())
                    -- Words are found much faster than a pattern.
                    AND (p.prosrc LIKE '%set\_config%' OR p.prosrc LIKE '%current\_setting%'));
$function$;
COMMENT ON FUNCTION @extschema@._pggit_settings() IS
    'Names the custom settings that the functions of pgGit read or write, as a picture names them.';

--
-- _world_schemas()
--
-- Where a statement may leave something: every schema but PostgreSQL's and ours.
--
CREATE FUNCTION @extschema@._world_schemas()
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT array_agg(n.nspname)
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname !~ '^pg_'
       AND n.nspname NOT IN ('information_schema', '@extschema@');
$function$;
COMMENT ON FUNCTION @extschema@._world_schemas() IS
    'Names every schema but PostgreSQL''s own and ours.';

--
-- _activity(), _touched(before)
--
-- PostgreSQL counts the tuples that a transaction writes, relation by relation,
-- catalogues too.  What moved between two looks was touched; the rest need not
-- be read.  A write to a catalogue shows as "definitions", one to pg_proc as
-- "functions": their bodies are most of the text, and few statements touch them.
--
CREATE FUNCTION @extschema@._activity()
RETURNS jsonb
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_object_agg(a.name, a.written)
      FROM (SELECT CASE WHEN c.oid = 'pg_catalog.pg_proc'::regclass THEN 'functions'
                        WHEN n.nspname = 'pg_catalog' THEN 'definitions'
                        ELSE format('%I.%I', n.nspname, c.relname) END AS name,
                   concat_ws(' ', sum(pg_stat_get_xact_tuples_inserted(c.oid)),
                             sum(pg_stat_get_xact_tuples_updated(c.oid)),
                             sum(pg_stat_get_xact_tuples_deleted(c.oid)),
                             -- TRUNCATE sets the counts back, and takes a new file.
                             sum(pg_relation_filenode(c.oid)::bigint)) AS written
              FROM pg_catalog.pg_class AS c
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'm')
               AND c.relpersistence <> 't'
               AND n.nspname NOT IN ('information_schema', '@extschema@', 'pg_toast')
             GROUP BY 1) AS a;
$function$;
COMMENT ON FUNCTION @extschema@._activity() IS
    'Counts what this transaction has written so far, by relation.';

CREATE FUNCTION @extschema@._touched(before jsonb)
RETURNS text[]
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT COALESCE(o.key, n.key)
                   FROM jsonb_each_text(before) AS o
                   FULL JOIN jsonb_each_text(@extschema@._activity()) AS n ON n.key = o.key
                  WHERE o.value IS DISTINCT FROM n.value
                  ORDER BY 1);
$function$;
COMMENT ON FUNCTION @extschema@._touched(jsonb) IS
    'Names the relations that were written to since an earlier _activity().';

--
-- _reproducible(one, other), _differences(one, other, tolerance)
--
-- The tolerance of each aspect, from the pictures of two undisturbed runs: the
-- index of the first digest in which they agree, 3 where they never do.  And the
-- aspects in which two pictures differ beyond that.
--
CREATE FUNCTION @extschema@._reproducible(one jsonb, other jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_object_agg(a.key, CASE WHEN a.value -> 0 = b.value -> 0 THEN 0
                                                 WHEN a.value -> 1 = b.value -> 1 THEN 1
                                                 WHEN a.value -> 2 = b.value -> 2 THEN 2
                                                 ELSE 3 END), '{}')
      FROM jsonb_each(one) AS a
      JOIN jsonb_each(other) AS b ON b.key = a.key;
$function$;
COMMENT ON FUNCTION @extschema@._reproducible(jsonb, jsonb) IS
    'Tells for each aspect how forgiving a comparison between runs must be.';

CREATE FUNCTION @extschema@._differences(one jsonb, other jsonb, tolerance jsonb)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT d.name
                   FROM (SELECT COALESCE(a.key, b.key) AS name, a.value AS a, b.value AS b,
                                COALESCE((tolerance ->> COALESCE(a.key, b.key))::integer, 0) AS t
                           FROM jsonb_each(one) AS a
                           FULL JOIN jsonb_each(other) AS b ON b.key = a.key) AS d
                  WHERE d.t < 3
                    AND d.a -> d.t IS DISTINCT FROM d.b -> d.t
                  ORDER BY d.name);
$function$;
COMMENT ON FUNCTION @extschema@._differences(jsonb, jsonb, jsonb) IS
    'Names the aspects in which two pictures differ beyond the tolerance.';
