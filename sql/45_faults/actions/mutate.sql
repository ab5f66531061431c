--
-- mutate(jsonb): the row is written with these columns changed.
--
CREATE FUNCTION @extschema@._action_mutate_parse(arguments text, failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns jsonb;
    v_unknown text;
BEGIN
    PERFORM @extschema@._require_before_row('mutate', failpoint);
    BEGIN
        v_columns := arguments::jsonb;
    EXCEPTION WHEN invalid_text_representation THEN
        v_columns := NULL;
    END;
    IF jsonb_typeof(v_columns) IS DISTINCT FROM 'object' THEN
        PERFORM @extschema@._bad_arguments('mutate', arguments,
                                           'a JSON object with the columns to change');
    END IF;
    -- With a pattern the table is known at the strike only.
    SELECT k.key INTO v_unknown
      FROM jsonb_object_keys(v_columns) AS k(key)
      JOIN @extschema@._failpoints() AS f ON f.failpoint = _action_mutate_parse.failpoint
     WHERE NOT EXISTS (SELECT
                         FROM pg_catalog.pg_attribute AS a
                        WHERE a.attrelid = f.object::regclass
                          AND a.attname = k.key
                          AND a.attnum > 0
                          AND NOT a.attisdropped)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" does not exist at failpoint "%"', v_unknown, failpoint
            USING ERRCODE = 'undefined_column';
    END IF;
    RETURN v_columns;
END;
$function$;
COMMENT ON FUNCTION @extschema@._action_mutate_parse(text, text) IS
    'Reads the arguments of the action mutate: a JSON object of columns.';

CREATE FUNCTION @extschema@._action_mutate(fault @extschema@._fault, failpoint text, hit bigint,
                                           arguments jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object('mutate', arguments);
$function$;
COMMENT ON FUNCTION @extschema@._action_mutate(@extschema@._fault, text, bigint, jsonb) IS
    'Tells the before-row trigger which columns to change.';
