--
-- merge_branches, resolve_conflict.  A merge moves what is recorded of objects;
-- the objects themselves exist once, whatever branch records them.
--

-- The object of that name on another branch.
CREATE FUNCTION pggit._twin(object_id integer, branch_id integer)
RETURNS integer
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT t.id
      FROM pggit.objects AS o
      JOIN pggit.objects AS t
        ON (t.object_type, t.schema_name, t.object_name)
         = (o.object_type, o.schema_name, o.object_name)
     WHERE o.id = object_id
       AND t.branch_id = _twin.branch_id
       AND t.is_active;
$function$;

-- Makes the target's record of an object, and of its columns, the source's.
CREATE FUNCTION pggit._take_object(source_id integer, target pggit.branches, reason text)
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
END;
$function$;

CREATE FUNCTION pggit._take_dependencies(source_ids integer[], target pggit.branches)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    DELETE FROM pggit.dependencies AS d
     USING unnest(source_ids) AS s(id)
     WHERE d.dependent_id = pggit._twin(s.id, target.id);

    INSERT INTO pggit.dependencies (dependent_id, depends_on_id, branch_id, dependency_type,
                                    metadata, created_at)
    SELECT t.dependent_id, t.depends_on_id, target.id, d.dependency_type, d.metadata,
           LOCALTIMESTAMP
      FROM pggit.dependencies AS d
     CROSS JOIN LATERAL (SELECT pggit._twin(d.dependent_id, target.id),
                                pggit._twin(d.depends_on_id, target.id))
           AS t(dependent_id, depends_on_id)
     WHERE d.dependent_id = ANY (source_ids)
       AND t.dependent_id IS NOT NULL
       AND t.depends_on_id IS NOT NULL
     ORDER BY d.id;
$function$;

-- Answers how many conflicts there are.
CREATE FUNCTION pggit._record_conflicts(
    merge_id text, source pggit.branches, target pggit.branches)
RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH recorded AS (
        INSERT INTO pggit.merge_conflicts (merge_id, branch_a, branch_b, base_branch,
                                           conflict_object, conflict_type, base_value,
                                           branch_a_value, branch_b_value, created_at)
        SELECT _record_conflicts.merge_id, source.name, target.name,
               CASE target.parent_branch_id WHEN source.id THEN target.name ELSE source.name END,
               p.object_type || ' ' || p.full_name,
               CASE WHEN p.source_state IS NULL THEN 'deleted_in_source'
                    WHEN p.target_state IS NULL THEN 'deleted_in_target'
                    WHEN p.base_state IS NULL THEN 'both_added'
                    ELSE 'both_modified' END,
               jsonb_build_object('state', p.base_state),
               jsonb_build_object('state', p.source_state, 'metadata', s.metadata),
               jsonb_build_object('state', p.target_state, 'metadata', t.metadata),
               LOCALTIMESTAMP
          FROM pggit._merge_plan(source, target) AS p
          JOIN pggit.objects AS s ON s.id = p.source_id
          LEFT JOIN pggit.objects AS t ON t.id = p.target_id
         WHERE p.verdict = 'conflict'
         ORDER BY p.source_id
        RETURNING id)
    SELECT count(*) FROM recorded;
$function$;

-- Locks both branches, the older first: two merges cannot wait for each other.
CREATE FUNCTION pggit._lock_for_merge(source_branch text, target_branch text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF source_branch = target_branch THEN
        RAISE EXCEPTION 'cannot merge branch "%" into itself', source_branch
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM FROM pggit.branches AS b
      WHERE b.name IN (source_branch, target_branch)
      ORDER BY b.id
        FOR UPDATE;
END;
$function$;

CREATE FUNCTION pggit.merge_branches(
    p_source_branch text, p_target_branch text, p_merge_message text DEFAULT 'Merge branch')
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_source   pggit.branches;
    v_target   pggit.branches;
    v_merge_id text;
    v_taken    integer[];
BEGIN
    PERFORM pggit._check_commit(p_target_branch, p_merge_message, NULL);
    PERFORM pggit._lock_for_merge(p_source_branch, p_target_branch);
    v_source := pggit._existing_branch(p_source_branch);
    v_target := pggit._existing_branch(p_target_branch);
    v_merge_id := pggit.generate_trinity_id();
    IF pggit._record_conflicts(v_merge_id, v_source, v_target) > 0 THEN
        UPDATE pggit.branches AS b
           SET status = 'CONFLICTED', merged_at = NULL, merged_by = NULL
         WHERE b.id = v_source.id AND b.parent_branch_id IS NOT NULL;
        RETURN 'CONFLICTS_DETECTED:' || v_merge_id;
    END IF;
    v_taken := ARRAY(SELECT p.source_id
                       FROM pggit._merge_plan(v_source, v_target) AS p
                      WHERE p.verdict = 'take'
                      ORDER BY p.object_type, p.source_id);
    PERFORM pggit._take_object(t.source_id, v_target, 'merged from ' || v_source.name)
       FROM unnest(v_taken) WITH ORDINALITY AS t(source_id, place)
      ORDER BY t.place;
    PERFORM pggit._take_dependencies(v_taken, v_target);
    PERFORM pggit._append_commit(v_target.id, v_merge_id, COALESCE(p_merge_message, ''),
        jsonb_build_object('merged_branch_id', v_source.id,
                           'merged_head', v_source.head_commit_hash,
                           'merged_history_id', (SELECT COALESCE(max(h.id), 0)
                                                   FROM pggit.history AS h)));
    -- The root of all branches goes on.
    UPDATE pggit.branches AS b
       SET status = 'MERGED', merged_at = greatest(LOCALTIMESTAMP, b.created_at),
           merged_by = pggit._caller()
     WHERE b.id = v_source.id AND b.parent_branch_id IS NOT NULL;
    RETURN 'MERGE_SUCCESS:' || v_merge_id;
END;
$function$;
COMMENT ON FUNCTION pggit.merge_branches(text, text, text) IS
    'Brings what changed on one branch to another in one commit, or records the conflicts.';

CREATE FUNCTION pggit.resolve_conflict(p_merge_id text, p_conflict_id integer, p_resolution text)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF p_resolution IS NULL OR p_resolution NOT IN ('TAKE_SOURCE', 'TAKE_TARGET') THEN
        RAISE EXCEPTION 'invalid resolution: "%"', p_resolution
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is TAKE_SOURCE or TAKE_TARGET.';
    END IF;
    UPDATE pggit.merge_conflicts AS c
       SET resolution_strategy = p_resolution,
           resolved_value = CASE p_resolution WHEN 'TAKE_SOURCE' THEN c.branch_a_value
                            ELSE c.branch_b_value END,
           resolved_by = pggit._caller(), resolved_at = greatest(LOCALTIMESTAMP, c.created_at)
     WHERE (c.merge_id, c.id) = (p_merge_id, p_conflict_id);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'merge "%" has no conflict %', p_merge_id, p_conflict_id
            USING ERRCODE = 'undefined_object';
    END IF;
    RETURN true;
END;
$function$;
COMMENT ON FUNCTION pggit.resolve_conflict(text, integer, text) IS
    'Decides a conflict: the next merge of these branches takes the side that is named.';
