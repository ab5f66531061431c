--
-- _near(name, candidates), _require_value(value, argument)
--
-- What the error messages are made with.  Write nothing.
--
CREATE FUNCTION @extschema@._near(name text, candidates text[])
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Near is who shares the most runs of three characters.
    SELECT string_agg(n.name, ', ' ORDER BY n.shared DESC,
                      n.name)
      FROM (SELECT '"' || c.candidate || '"' AS name, s.shared
              FROM unnest(_near.candidates) AS c(candidate)
             CROSS JOIN LATERAL (
                   SELECT count(*)::float8 / (length(c.candidate) + length(_near.name)) AS shared
                     FROM generate_series(1, length(_near.name) + 2) AS i
                    WHERE strpos('  ' || lower(c.candidate) || '  ',
                                 substr('  ' || lower(_near.name) || '  ', i, 3)) > 0) AS s
             WHERE s.shared > 0.15
             ORDER BY s.shared DESC, c.candidate
             LIMIT 3) AS n;
$function$;
COMMENT ON FUNCTION @extschema@._near(text, text[]) IS
    'Lists up to three candidates that resemble a name, quoted, nearest first; NULL where none does.';

CREATE FUNCTION @extschema@._require_value(value anyelement, argument text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF value IS NULL THEN
        RAISE EXCEPTION 'argument "%" must not be null', argument
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_value(anyelement, text) IS
    'Raises 22004 where an argument is NULL that may not be.';
