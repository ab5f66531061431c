--
-- _parse_term(term, failpoint)
--
-- Reads a term, [P%][N*]action[(arguments)] chained by ->, the grammar of
-- FreeBSD's fail(9), into its program: one element a step, with probability (0
-- to 1), count, action and the arguments as the action's own parser left them.
-- Raises 42601 with the position where the term goes wrong.  Writes: nothing.
-- Calls: _action_NAME_parse.
--
CREATE FUNCTION @extschema@._parse_term(term text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_program   jsonb := '[]';
    v_position  integer := 1;
    v_match     text[];
    v_arguments text;
BEGIN
    LOOP
        -- The match: blanks, probability, count, action, opening parenthesis.
        v_match := regexp_match(substr(term, v_position),
                                '^(\s*)(?:(\d+(?:\.\d+)?)%)?\s*(?:(\d+)\*)?\s*([a-z_]+)\s*(\(?)');
        IF v_match IS NULL THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'An action is expected here: [P%][N*]action[(arguments)].');
        END IF;
        IF v_match[2]::numeric > 100 THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'A probability is at most 100%.');
        END IF;
        PERFORM @extschema@._require_action(term, v_match[4], v_position);
        v_position := v_position
                      + length((regexp_match(substr(term, v_position),
                                '^\s*(?:\d+(?:\.\d+)?%)?\s*(?:\d+\*)?\s*[a-z_]+\s*'))[1]);
        v_arguments := NULL;
        IF v_match[5] = '(' THEN
            v_arguments := @extschema@._arguments_at(term, v_position);
            v_position := v_position + length(v_arguments) + 2;
        END IF;
        v_program := v_program || jsonb_build_object(
            'probability', v_match[2]::numeric / 100,
            'count', v_match[3]::bigint,
            'action', v_match[4],
            'arguments', @extschema@._parse_arguments(v_match[4], v_arguments, failpoint));
        EXIT WHEN substr(term, v_position) ~ '^\s*$';
        v_match := regexp_match(substr(term, v_position), '^(\s*->)');
        IF v_match IS NULL THEN
            PERFORM @extschema@._malformed_term(
                term, v_position, 'Steps are chained by "->".');
        END IF;
        v_position := v_position + length(v_match[1]);
    END LOOP;
    RETURN v_program;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_term(text, text) IS
    'Reads a term into its program, a JSON array with one element a step.';

CREATE FUNCTION @extschema@._malformed_term(term text, at_position integer, expected text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'malformed term "%" at position %', term, at_position
        USING ERRCODE = 'syntax_error',
              DETAIL = expected,
              HINT = 'Examples: error(40001), 2*off->1*error, 10%delay(50), skip.';
END;
$function$;
COMMENT ON FUNCTION @extschema@._malformed_term(text, integer, text) IS
    'Raises 42601 for a term, with the position and what was expected there.';

--
-- _arguments_at(term, at_position)
--
-- The text between the parenthesis at a position and the one that closes it;
-- parentheses inside it are balanced, and those in double quotes do not count.
--
CREATE FUNCTION @extschema@._arguments_at(term text, at_position integer)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_depth  integer := 0;
    v_quoted boolean := false;
    v_i      integer;
BEGIN
    FOR v_i IN at_position .. length(term) LOOP
        CASE substr(term, v_i, 1)
            WHEN '"' THEN v_quoted := NOT v_quoted OR substr(term, v_i - 1, 1) = '\';
            WHEN '(' THEN v_depth := v_depth + (NOT v_quoted)::integer;
            WHEN ')' THEN v_depth := v_depth - (NOT v_quoted)::integer;
            ELSE NULL;
        END CASE;
        IF v_depth = 0 THEN
            RETURN substr(term, at_position + 1, v_i - at_position - 1);
        END IF;
    END LOOP;
    PERFORM @extschema@._malformed_term(term, at_position, 'This parenthesis is never closed.');
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._arguments_at(text, integer) IS
    'Returns the text in the parentheses that open at a position of a term.';

--
-- _actions(), _require_action(term, action, at_position), _parse_arguments(...)
--
-- An action is a file under sql/45_faults/actions/, with a function that reads
-- its arguments, _action_NAME_parse, and one that strikes, _action_NAME.
--
CREATE FUNCTION @extschema@._actions()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT array_agg(substring(p.proname FROM '^_action_(.*)_parse$')
                     ORDER BY p.proname)
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = '@extschema@'::regnamespace
       AND p.proname ~ '^_action_.*_parse$';
$function$;
COMMENT ON FUNCTION @extschema@._actions() IS 'Names the actions that a term may hold.';

CREATE FUNCTION @extschema@._require_action(term text, action text, at_position integer)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF action <> ALL (@extschema@._actions()) THEN
        PERFORM @extschema@._malformed_term(
            term, at_position,
            format('There is no action "%s"; there are %s.', action,
                   array_to_string(@extschema@._actions(), ', ')));
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_action(text, text, integer) IS
    'Raises 42601 where a term names an action that does not exist.';

CREATE FUNCTION @extschema@._parse_arguments(action text, arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_parsed jsonb;
BEGIN
    EXECUTE format('SELECT @extschema@.%I($1, $2)', '_action_' || action || '_parse')
       INTO v_parsed
      USING arguments, failpoint;
    RETURN v_parsed;
END;
$function$;
COMMENT ON FUNCTION @extschema@._parse_arguments(text, text, text) IS
    'Lets an action read its own arguments.';
