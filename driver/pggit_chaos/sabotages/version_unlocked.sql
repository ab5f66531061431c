-- category: concurrent
-- Of two increments of a version at once, one is lost: neither locks the object.
CREATE OR REPLACE FUNCTION pggit.increment_version(
    p_object_id integer, p_change_type pggit.change_type, p_change_severity pggit.change_severity,
    p_description text DEFAULT NULL, p_new_metadata jsonb DEFAULT NULL,
    p_sql_executed text DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_object pggit.objects;
BEGIN
    IF p_object_id IS NULL OR p_change_type IS NULL OR p_change_severity IS NULL THEN
        RAISE EXCEPTION 'object, change type and severity must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- The branch before the object, as a merge locks them.
    PERFORM
       FROM pggit.branches AS b
      WHERE b.id = (SELECT o.branch_id FROM pggit.objects AS o WHERE o.id = p_object_id)
        FOR KEY SHARE;
    SELECT o.* INTO v_object FROM pggit.objects AS o WHERE o.id = p_object_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'object % does not exist', p_object_id USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT v_object.is_active THEN
        RAISE EXCEPTION 'object "%" is dropped', v_object.full_name
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF p_change_type = 'DROP' THEN
        RAISE EXCEPTION 'a drop makes no version'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'A drop is recorded when the object is dropped.';
    END IF;
    RETURN pggit._change_object(p_object_id, p_change_type, p_change_severity, p_description,
                                COALESCE(p_new_metadata, v_object.metadata), v_object.ddl_hash,
                                p_sql_executed);
END;
$function$;

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
    SELECT o.* INTO v_old FROM pggit.objects AS o WHERE o.id = object_id;
    v_new := v_old;
    v_new.is_active := change <> 'DROP';
    IF v_new.is_active THEN
        v_new := pggit._raise_version(v_new, severity);
        v_new.metadata := metadata;
        v_new.ddl_hash := ddl_hash;
        v_new.content_hash := pggit._content_hash(ddl_hash, metadata);
    END IF;
    -- A transaction that began earlier may come later: times do not go back.
    v_new.updated_at := greatest(LOCALTIMESTAMP, v_old.updated_at);
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
