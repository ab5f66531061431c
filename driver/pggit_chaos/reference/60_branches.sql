--
-- Branches: create_branch, delete_branch_simple, switch_branch,
-- checkout_branch, list_branches.
--

-- Copies what is active on one branch to a new one, in one statement and so
-- from one snapshot.  A copy keeps its version and begins without history.
CREATE FUNCTION pggit._copy_objects(source_branch_id integer, target pggit.branches)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH source AS MATERIALIZED (
        SELECT o.*, nextval('pggit.objects_id_seq')::integer AS copy_id
          FROM (SELECT * FROM pggit.objects
                 WHERE branch_id = source_branch_id AND is_active ORDER BY id) AS o),
    copied AS (
        INSERT INTO pggit.objects (id, object_type, schema_name, object_name, parent_id,
                                   content_hash, branch_id, branch_name, version, version_major,
                                   version_minor, version_patch, metadata, ddl_hash, created_at,
                                   updated_at)
        SELECT s.copy_id, s.object_type, s.schema_name, s.object_name, p.copy_id,
               s.content_hash, target.id, target.name, s.version, s.version_major,
               s.version_minor, s.version_patch, s.metadata, s.ddl_hash, target.created_at,
               target.created_at
          FROM source AS s
          LEFT JOIN source AS p ON p.id = s.parent_id
         ORDER BY s.copy_id)
    INSERT INTO pggit.dependencies (dependent_id, depends_on_id, branch_id, dependency_type,
                                    metadata, created_at)
    SELECT a.copy_id, b.copy_id, target.id, d.dependency_type, d.metadata, target.created_at
      FROM pggit.dependencies AS d
      JOIN source AS a ON a.id = d.dependent_id
      JOIN source AS b ON b.id = d.depends_on_id
     ORDER BY d.id;
$function$;

-- Answers NULL where the name is taken, be it by a session that is faster.
CREATE FUNCTION pggit._add_branch(branch_name text, parent_name text)
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_parent pggit.branches;
    v_branch pggit.branches;
BEGIN
    PERFORM pggit._check_branch_name(branch_name);
    v_parent := pggit._existing_branch(parent_name);
    INSERT INTO pggit.branches (name, parent_branch_id, head_commit_hash, created_at, created_by)
    VALUES (branch_name, v_parent.id, v_parent.head_commit_hash,
            greatest(LOCALTIMESTAMP, v_parent.created_at), pggit._caller())
    ON CONFLICT (name) DO NOTHING
    RETURNING * INTO v_branch;
    IF FOUND THEN
        PERFORM pggit._copy_objects(v_parent.id, v_branch);
    END IF;
    RETURN v_branch.id;
END;
$function$;

-- SECURITY INVOKER: the data that is copied is what the caller may read.
CREATE FUNCTION pggit.create_branch(
    p_branch_name text, p_parent_branch text DEFAULT 'main', p_copy_data boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer := pggit._add_branch(p_branch_name, p_parent_branch);
BEGIN
    IF v_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" already exists', p_branch_name
            USING ERRCODE = 'unique_violation', SCHEMA = 'pggit', TABLE = 'branches',
                  CONSTRAINT = 'branches_name_key';
    END IF;
    IF p_copy_data THEN
        PERFORM pggit._copy_data(t.relation, p_parent_branch, p_branch_name)
           FROM pggit._tables_of_branch(v_branch_id) AS t(relation);
    END IF;
    RETURN v_branch_id;
END;
$function$;
COMMENT ON FUNCTION pggit.create_branch(text, text, boolean) IS
    'Creates a branch that begins where its parent is, and answers its id.';

CREATE FUNCTION pggit.delete_branch_simple(p_branch_name text)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    PERFORM FROM pggit.branches AS b WHERE b.name = p_branch_name FOR UPDATE;
    v_branch := pggit._existing_branch(p_branch_name);
    IF v_branch.parent_branch_id IS NULL THEN
        RAISE EXCEPTION 'branch "%" is protected', p_branch_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Every branch descends from it.';
    END IF;
    UPDATE pggit.branches AS b SET status = 'DELETED' WHERE b.id = v_branch.id;
    PERFORM pggit._drop_data_of_branch(v_branch.id);
END;
$function$;
COMMENT ON FUNCTION pggit.delete_branch_simple(text) IS
    'Marks a branch deleted and drops its copies of tables; its commits stay.';

CREATE FUNCTION pggit.switch_branch(p_branch_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches := pggit._existing_branch(p_branch_name);
BEGIN
    PERFORM set_config('pggit.current_branch', v_branch.name, false);
END;
$function$;
COMMENT ON FUNCTION pggit.switch_branch(text) IS
    'Makes a branch the one that this session''s schema changes are recorded on.';

CREATE FUNCTION pggit.checkout_branch(p_branch_name text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit.switch_branch(p_branch_name);
    RETURN 'Switched to branch: ' || p_branch_name;
END;
$function$;
COMMENT ON FUNCTION pggit.checkout_branch(text) IS
    'Does what switch_branch does, and says so.';

CREATE FUNCTION pggit.list_branches(
    p_status pggit.branch_status DEFAULT NULL, p_inactive_days integer DEFAULT NULL)
RETURNS TABLE (branch_name text, status pggit.branch_status, size_mb numeric,
               last_commit timestamp, days_inactive integer, commit_count integer)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT b.name, b.status, round(COALESCE(s.total_size, 0) / 1048576.0, 2), c.last_commit,
           i.days, c.commit_count
      FROM pggit.branches AS b
      LEFT JOIN pggit.branch_storage_stats AS s ON s.branch_name = b.name
     CROSS JOIN LATERAL (
           SELECT max(c.committed_at) AS last_commit, count(*)::integer AS commit_count
             FROM pggit.commits AS c
            WHERE c.branch_id = b.id) AS c
     CROSS JOIN LATERAL (
           SELECT LOCALTIMESTAMP::date - COALESCE(c.last_commit, b.created_at)::date) AS i(days)
     WHERE (p_status IS NULL OR b.status = p_status)
       AND (p_inactive_days IS NULL OR i.days >= p_inactive_days)
     ORDER BY b.id;
END;
$function$;
COMMENT ON FUNCTION pggit.list_branches(pggit.branch_status, integer) IS
    'Lists branches, optionally those of a status or without a commit for some days.';
