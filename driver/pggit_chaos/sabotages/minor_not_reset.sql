-- category: property
-- A new major version of an object keeps the minor number of the old one.
CREATE OR REPLACE FUNCTION pggit._raise_version(
    object pggit.objects, severity pggit.change_severity)
RETURNS pggit.objects
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    object.version := object.version + 1;
    CASE severity
        WHEN 'MAJOR' THEN
            object.version_major := object.version_major + 1;
            object.version_patch := 0;
        WHEN 'MINOR' THEN
            object.version_minor := object.version_minor + 1;
            object.version_patch := 0;
        WHEN 'PATCH' THEN
            object.version_patch := object.version_patch + 1;
    END CASE;
    RETURN object;
END;
$function$;
