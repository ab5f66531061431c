-- category: property
-- The columns of a table are recorded when it is created, and never again.
CREATE OR REPLACE FUNCTION pggit._track(touched pggit._touched_object, branch pggit.branches)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_identity record;
    v_old      pggit.objects := pggit._record_of(touched.classid, touched.objid, branch.id);
    v_former   pggit.objects;
    v_parent   integer := pggit._table_record_id(touched.classid, touched.objid, branch.id);
    v_metadata jsonb := pggit._metadata(touched.classid, touched.objid);
    v_hash     text := pggit._ddl_hash(touched.classid, touched.objid);
    v_change   pggit.change_type := CASE WHEN v_old.id IS NULL THEN 'CREATE' ELSE 'ALTER' END;
    v_id       integer;
BEGIN
    SELECT * INTO v_identity FROM pggit._identity(touched.classid, touched.objid);
    IF v_old.id IS NULL AND NOT touched.created THEN
        v_former := pggit._former_record(touched.classid, touched.objid, v_parent, v_hash,
                                         branch.id);
    END IF;
    IF NOT pggit._is_change(touched, v_identity.object_type, v_parent, v_old, v_former,
                            pggit._content_hash(v_hash, v_metadata)) THEN
        RETURN;
    END IF;
    v_id := pggit._object_row(v_identity.object_type, v_identity.schema_name,
                              v_identity.object_name, v_parent, branch);
    IF v_former.id IS NOT NULL THEN
        v_change := 'RENAME';
        PERFORM pggit._succeed(v_former, v_id);
    END IF;
    PERFORM pggit._change_object(v_id, v_change,
                                 pggit._severity(v_change, v_old, v_metadata, v_hash),
                                 format('%s %s %s.%s', v_change, v_identity.object_type,
                                        v_identity.schema_name, v_identity.object_name),
                                 v_metadata, v_hash, NULL);
    IF v_change = 'CREATE' THEN
        PERFORM pggit._set_columns(v_id, pggit._column_names(v_id, v_metadata -> 'columns'));
    END IF;
END;
$function$;
