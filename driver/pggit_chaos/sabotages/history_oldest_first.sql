-- category: property
-- Of a long history the oldest changes are shown, not the latest.
CREATE OR REPLACE FUNCTION pggit.get_history(p_object_name text, p_limit integer DEFAULT 10)
RETURNS TABLE (version integer, change_type pggit.change_type, change_description text,
               created_at timestamp, created_by text)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT h.new_version, h.change_type, h.change_description, h.created_at, h.created_by
      FROM pggit.objects AS o
      JOIN pggit.history AS h ON h.object_id = o.id
     WHERE o.full_name IN (p_object_name, 'public.' || p_object_name)
       AND o.branch_name = pggit._current_branch_name()
     ORDER BY h.id
     LIMIT p_limit;
END;
$function$;
