--
-- Versions.  _change_object is the only one to raise a version, and it writes
-- the history row with it: both exist together or not at all.  The row lock
-- that it takes first keeps the versions of an object without gaps.
--

-- A hash of NULL says that there was, or is, no such object; so does a version
-- of NULL before the first.
CREATE FUNCTION pggit._record_history(
    old pggit.objects, new pggit.objects, change pggit.change_type,
    severity pggit.change_severity, description text, statement text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    INSERT INTO pggit.history (object_id, change_type, change_severity, branch_id, old_version,
                               new_version, old_metadata, new_metadata, change_description,
                               sql_executed, created_at, created_by, old_hash, new_hash)
    VALUES (new.id, change, severity, new.branch_id, old.version,
            CASE WHEN new.is_active THEN new.version END,
            old.metadata, CASE WHEN new.is_active THEN new.metadata END,
            description, COALESCE(statement, current_query(), ''), new.updated_at,
            pggit._caller(),
            CASE WHEN old.is_active THEN old.content_hash END,
            CASE WHEN new.is_active THEN new.content_hash END);
$function$;

CREATE FUNCTION pggit._raise_version(object pggit.objects, severity pggit.change_severity)
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
            object.version_minor := 0;
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

CREATE FUNCTION pggit._change_object(
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

CREATE FUNCTION pggit.increment_version(
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
    SELECT o.* INTO v_object FROM pggit.objects AS o WHERE o.id = p_object_id FOR NO KEY UPDATE;
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
COMMENT ON FUNCTION pggit.increment_version(
    integer, pggit.change_type, pggit.change_severity, text, jsonb, text) IS
    'Gives an object its next version, records it in history, and answers the version.';

CREATE FUNCTION pggit.increment_version(
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
            patch := 0;
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
COMMENT ON FUNCTION pggit.increment_version(integer, integer, integer, text) IS
    'Answers the semantic version that follows the given one; writes nothing.';
