--
-- ensure_object, get_version, get_history: objects of the branch that the
-- session is on.
--
CREATE FUNCTION pggit._parent_id(branch text, schema_name text, parent_name text)
RETURNS integer
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_parent_id integer;
BEGIN
    SELECT o.id INTO v_parent_id
      FROM pggit.objects AS o
     WHERE o.branch_name = branch
       AND o.is_active
       AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW')
       AND o.full_name IN (parent_name, _parent_id.schema_name || '.' || parent_name)
     ORDER BY (o.full_name = parent_name) DESC
     LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'parent object "%" does not exist', parent_name
            USING ERRCODE = 'undefined_object';
    END IF;
    RETURN v_parent_id;
END;
$function$;

CREATE FUNCTION pggit._check_object(
    object_type pggit.object_type, schema_name text, object_name text, parent_name text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF object_type IS NULL OR schema_name IS NULL OR object_name IS NULL THEN
        RAISE EXCEPTION 'object type, schema and name must not be null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF object_name = '' THEN
        RAISE EXCEPTION 'object name must not be empty' USING ERRCODE = 'invalid_name';
    END IF;
    IF (object_type IN ('COLUMN', 'INDEX')) <> (parent_name IS NOT NULL) THEN
        RAISE EXCEPTION 'only a column or an index has a parent, and it must have one'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END;
$function$;

CREATE FUNCTION pggit.ensure_object(
    p_object_type pggit.object_type, p_schema_name text, p_object_name text,
    p_parent_name text DEFAULT NULL, p_metadata jsonb DEFAULT '{}')
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch    pggit.branches := pggit._share_branch(pggit._current_branch_name());
    v_parent_id integer;
    v_object    pggit.objects;
    v_ddl_hash  text := pggit.compute_ddl_hash(p_object_type, p_schema_name, p_object_name);
BEGIN
    PERFORM pggit._check_object(p_object_type, p_schema_name, p_object_name, p_parent_name);
    IF p_parent_name IS NOT NULL THEN
        v_parent_id := pggit._parent_id(v_branch.name, p_schema_name, p_parent_name);
    END IF;
    INSERT INTO pggit.objects (object_type, schema_name, object_name, parent_id, branch_id,
                               branch_name, metadata, ddl_hash, content_hash, created_at,
                               updated_at)
    VALUES (p_object_type, p_schema_name, p_object_name, v_parent_id, v_branch.id, v_branch.name,
            COALESCE(p_metadata, '{}'), v_ddl_hash,
            pggit._content_hash(v_ddl_hash, p_metadata), LOCALTIMESTAMP, LOCALTIMESTAMP)
    ON CONFLICT DO NOTHING
    RETURNING * INTO v_object;
    IF FOUND THEN
        IF p_object_type <> 'COLUMN' THEN
            PERFORM pggit._record_history(NULL, v_object, 'CREATE', 'MINOR', 'tracked', NULL);
        END IF;
        RETURN v_object.id;
    END IF;
    SELECT o.* INTO v_object
      FROM pggit.objects AS o
     WHERE (o.object_type, o.schema_name, o.object_name, o.branch_name)
         = (p_object_type, p_schema_name, p_object_name, v_branch.name)
       FOR NO KEY UPDATE;
    IF NOT v_object.is_active THEN
        PERFORM pggit._change_object(v_object.id, 'CREATE', 'MINOR', 'tracked again',
                                     COALESCE(p_metadata, '{}'), v_ddl_hash, NULL);
    END IF;
    RETURN v_object.id;
END;
$function$;
COMMENT ON FUNCTION pggit.ensure_object(pggit.object_type, text, text, text, jsonb) IS
    'Answers the id of an object of the current branch, and tracks it if nobody did.';

CREATE FUNCTION pggit.get_version(p_object_name text)
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
       AND o.branch_name = pggit._current_branch_name()
       AND o.is_active
     ORDER BY o.full_name = p_object_name DESC, o.id;
END;
$function$;
COMMENT ON FUNCTION pggit.get_version(text) IS
    'Answers the version of an object of the current branch; public need not be named.';

CREATE FUNCTION pggit.get_history(p_object_name text, p_limit integer DEFAULT 10)
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
     ORDER BY h.id DESC
     LIMIT p_limit;
END;
$function$;
COMMENT ON FUNCTION pggit.get_history(text, integer) IS
    'Lists the latest changes of an object on the current branch, newest first.';
