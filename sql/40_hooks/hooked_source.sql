--
-- _hooked_source(source, failpoint, semicolon), _unhooked_source(source)
--
-- A hooked function is its own body as an inner block behind one call:
--
--     BEGIN IF pggit_chaos.hit('f()') THEN END IF; <original> END
--
-- all on the first line of the original, so that the line numbers in pgGit's
-- own error contexts stay true.  IF and not PERFORM: PERFORM sets FOUND and
-- ROW_COUNT.  #option lines stay first.  Write nothing.
--
CREATE FUNCTION @extschema@._hooked_source(source text, failpoint text, semicolon boolean)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The inner block ends in a semicolon: ours, where the original has none.
    SELECT o.options
           || '/*pggit_chaos*/BEGIN IF @extschema@.hit('
           || quote_literal(failpoint) || ') THEN END IF; '
           || substr(source, length(o.options) + 1)
           || E'\n/*pggit_chaos*/' || CASE WHEN semicolon THEN ';END' ELSE 'END' END
      FROM (SELECT COALESCE(substring(source FROM '^(?:\s*#[a-z_]+[ \t]+\w+)+'), '')
                   AS options) AS o;
$function$;
COMMENT ON FUNCTION @extschema@._hooked_source(text, text, boolean) IS
    'Puts the hook of a failpoint around the body of a PL/pgSQL function.';

CREATE FUNCTION @extschema@._unhooked_source(source text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A search for a pattern costs a hundred times as much as one for a word, and this is
    -- asked about every function of pgGit's.
    SELECT CASE WHEN h.prefix IS NULL OR h.suffix IS NULL THEN source
           ELSE left(source, h.position - 1)
                || substr(source, h.position + length(h.prefix),
                          length(source) - length(h.suffix) - length(h.prefix) - h.position + 1)
           END
      FROM (SELECT p.position,
                   substring(substr(source, p.position)
                             FROM '^/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                                  '\( ?E?''(?:[^'']|'''')*''\) THEN END IF; ') AS prefix,
                   substring(right(source, 20) FROM '\n/\*pggit_chaos\*/;?END$') AS suffix
              FROM (SELECT strpos(source, '/*pggit_chaos*/BEGIN IF @extschema@.hit('))
                       AS p(position)) AS h;
$function$;
COMMENT ON FUNCTION @extschema@._unhooked_source(text) IS
    'Returns the original body of a hooked function, and any other body as it is.';

--
-- _hooked_failpoint(source)
--
-- The failpoint that a hooked body passes; NULL for a body that is not hooked.
--
CREATE FUNCTION @extschema@._hooked_failpoint(source text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN m.literal LIKE '%\\\\%' THEN replace(m.name, '\\', '\') ELSE m.name END
      FROM (SELECT l.literal, replace(substring(l.literal FROM '''(.*)'''), '''''', '''') AS name
              FROM (SELECT substring(
                               substr(source,
                                      strpos(source, '/*pggit_chaos*/BEGIN IF @extschema@.hit('))
                               FROM '^/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                                    '\(( ?E?''(?:[^'']|'''')*'')\) THEN END IF; ')) AS l(literal)
           ) AS m;
$function$;
COMMENT ON FUNCTION @extschema@._hooked_failpoint(text) IS
    'Names the failpoint in a hooked body, or NULL where the body is not hooked.';

--
-- _replace_source(function, source)
--
-- CREATE OR REPLACE with another body: OID, owner, grants, settings, dependants
-- and membership in an extension stay.
--
CREATE FUNCTION @extschema@._replace_source(function regprocedure, source text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET check_function_bodies = on
AS $function$
DECLARE
    v_definition text := pg_get_functiondef(function);
    v_old        text;
    v_tag        text := substring(v_definition FROM '\$\w+\$\n*$');
BEGIN
    SELECT p.prosrc INTO STRICT v_old FROM pg_catalog.pg_proc AS p WHERE p.oid = function;
    -- The definition ends in AS <tag><source><tag>.
    EXECUTE left(v_definition,
                 length(v_definition) - length(v_tag) - length(v_old) - length(rtrim(v_tag, E'\n')))
            || quote_literal(source);
END;
$function$;
COMMENT ON FUNCTION @extschema@._replace_source(regprocedure, text) IS
    'Gives a PL/pgSQL function another body and leaves all else as it is.';
