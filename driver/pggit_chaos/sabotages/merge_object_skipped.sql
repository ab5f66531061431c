-- category: transaction
-- A merge succeeds without the objects that it could not take.
CREATE OR REPLACE FUNCTION pggit._take_object(source_id integer, target pggit.branches, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_source pggit.objects;
    v_id     integer := pggit._twin(source_id, target.id);
BEGIN
    SELECT o.* INTO STRICT v_source FROM pggit.objects AS o WHERE o.id = source_id;
    IF v_source.is_active THEN
        v_id := pggit._object_row(v_source.object_type, v_source.schema_name,
                                  v_source.object_name,
                                  pggit._twin(v_source.parent_id, target.id), target);
        PERFORM pggit._change_object(v_id, 'MERGE', 'MINOR', reason, v_source.metadata,
                                     v_source.ddl_hash, NULL);
        PERFORM pggit._set_columns(v_id, (
            SELECT jsonb_object_agg(c.object_name, c.metadata)
              FROM pggit.objects AS c
             WHERE c.parent_id = source_id AND c.object_type = 'COLUMN'));
    ELSIF v_id IS NOT NULL THEN
        PERFORM pggit._retire_object(v_id, reason);
    END IF;
EXCEPTION
    WHEN OTHERS THEN
        RAISE NOTICE 'object % not merged: %', source_id, SQLERRM;
END;
$function$;
