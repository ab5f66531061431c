-- category: property
-- On whatever branch the session is, it is told the version that an object has on main.
CREATE OR REPLACE FUNCTION pggit.get_version(p_object_name text)
RETURNS TABLE (object_name text, schema_name text, version integer, version_string text,
               created_at timestamp)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT o.object_name, o.schema_name, o.version,
           format('%s.%s.%s', o.version_major, o.version_minor, o.version_patch), o.created_at
      FROM pggit.objects AS o
     WHERE o.full_name IN (p_object_name, 'public.' || p_object_name)
       AND o.branch_name = 'main'
       AND o.is_active
     ORDER BY o.full_name = p_object_name DESC, o.id;
END;
$function$;
