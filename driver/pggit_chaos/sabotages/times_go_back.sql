-- category: concurrent
-- A change that comes later bears the earlier time, if its transaction began earlier.
CREATE OR REPLACE FUNCTION pggit._change_object(
    object_id integer, change pggit.change_type, severity pggit.change_severity,
    description text, metadata jsonb, ddl_hash text, statement text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_old pggit.objects;
    v_new pggit.objects;
BEGIN
    SELECT o.* INTO v_old FROM pggit.objects AS o WHERE o.id = object_id FOR NO KEY UPDATE;
    v_new := v_old;
    v_new.is_active := change <> 'DROP';
    IF v_new.is_active THEN
        v_new := pggit._raise_version(v_new, severity);
        v_new.metadata := metadata;
        v_new.ddl_hash := ddl_hash;
        v_new.content_hash := pggit._content_hash(ddl_hash, metadata);
    END IF;
    v_new.updated_at := LOCALTIMESTAMP;
    UPDATE pggit.objects AS o
       SET version = v_new.version, version_major = v_new.version_major,
           version_minor = v_new.version_minor, version_patch = v_new.version_patch,
           metadata = v_new.metadata, ddl_hash = v_new.ddl_hash,
           content_hash = v_new.content_hash, is_active = v_new.is_active,
           updated_at = v_new.updated_at
     WHERE o.id = object_id;
    PERFORM pggit._record_history(v_old, v_new, change, severity, description, statement);
    RETURN v_new.version;
END;
$function$;
