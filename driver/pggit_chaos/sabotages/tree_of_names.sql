-- category: property
-- The tree hash of a commit is one of names: what changes under a name leaves it as it was.
CREATE OR REPLACE FUNCTION pggit._tree(branch_id integer)
RETURNS TABLE (hash text, objects integer)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._sha256(COALESCE(string_agg(o.object_type || ' ' || o.full_name, E'\n'
                                             ORDER BY o.object_type, o.full_name COLLATE "C"), '')),
           count(*)::integer
      FROM pggit.objects AS o
     WHERE o.branch_id = _tree.branch_id
       AND o.is_active
       AND o.object_type <> 'COLUMN';
$function$;
