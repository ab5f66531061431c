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
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_hook     CONSTANT text := @extschema@._hook_in(source);
    v_end      CONSTANT text := substring(right(source, 20) FROM '\n/\*pggit_chaos\*/;?END$');
    v_position CONSTANT integer := strpos(source, v_hook);
BEGIN
    IF v_hook IS NULL OR v_end IS NULL THEN
        RETURN source;
    END IF;
    RETURN left(source, v_position - 1)
           || substr(source, v_position + length(v_hook),
                     length(source) - length(v_end) - length(v_hook) - v_position + 1);
END;
$function$;
COMMENT ON FUNCTION @extschema@._unhooked_source(text) IS
    'Returns the original body of a hooked function, and any other body as it is.';

--
-- _hook_in(source), _hooked_failpoint(source)
--
-- The hook in a hooked body, and the failpoint that it passes; NULL for a body
-- that is not hooked.  In PL/pgSQL, because they are asked about every function of
-- pgGit's, and PostgreSQL would set a SQL function up anew for each.
--
CREATE FUNCTION @extschema@._hook_in(source text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_pattern  CONSTANT text := '^/\*pggit_chaos\*/BEGIN IF @extschema@\.hit'
                                '\( ?E?''(?:[^'']|'''')*''\) THEN END IF; ';
    v_position CONSTANT integer := strpos(source, '/*pggit_chaos*/BEGIN IF @extschema@.hit(');
BEGIN
    IF v_position = 0 THEN
        RETURN NULL;
    END IF;
    -- To look for a pattern PostgreSQL converts all of the text; the name is rarely long.
    RETURN COALESCE(substring(substr(source, v_position, 500) FROM v_pattern),
                    substring(substr(source, v_position) FROM v_pattern));
END;
$function$;
COMMENT ON FUNCTION @extschema@._hook_in(text) IS
    'Returns the hook in a body, or NULL where the body is not hooked.';

CREATE FUNCTION @extschema@._hooked_failpoint(source text)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_literal text := substring(@extschema@._hook_in(source) FROM '\.hit\((.*)\) THEN END IF; $');
    v_name    text := replace(substring(v_literal FROM '''(.*)'''), '''''', '''');
BEGIN
    RETURN CASE WHEN v_literal LIKE '%\\\\%' THEN replace(v_name, '\\', '\') ELSE v_name END;
END;
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
