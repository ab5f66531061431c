-- category: property
-- A new minor version keeps the patch number of the old one.
CREATE OR REPLACE FUNCTION pggit.increment_version(
    p_current_major integer, p_current_minor integer, p_current_patch integer,
    p_increment_type text)
RETURNS TABLE (major integer, minor integer, patch integer, full_version text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF num_nulls(p_current_major, p_current_minor, p_current_patch, p_increment_type) > 0 THEN
        RAISE EXCEPTION 'version and increment type must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF least(p_current_major, p_current_minor, p_current_patch) < 0 THEN
        RAISE EXCEPTION 'version must not be negative' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    CASE lower(p_increment_type)
        WHEN 'major' THEN
            major := p_current_major + 1;
            minor := 0;
            patch := 0;
        WHEN 'minor' THEN
            major := p_current_major;
            minor := p_current_minor + 1;
            patch := p_current_patch;
        WHEN 'patch' THEN
            major := p_current_major;
            minor := p_current_minor;
            patch := p_current_patch + 1;
        ELSE
            RAISE EXCEPTION 'invalid increment type: "%"', p_increment_type
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'It is major, minor or patch.';
    END CASE;
    full_version := format('%s.%s.%s', major, minor, patch);
    RETURN NEXT;
END;
$function$;
