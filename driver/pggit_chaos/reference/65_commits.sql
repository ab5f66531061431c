--
-- Commits.  The row lock on the branch makes the commits of a branch one line:
-- each has the former head as its parent, and ids ascend from parent to child.
--

-- What a branch holds, as one hash and as a number of objects.
CREATE FUNCTION pggit._tree(branch_id integer)
RETURNS TABLE (hash text, objects integer)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pggit._sha256(COALESCE(string_agg(o.object_type || ' ' || o.full_name || ' '
                                             || o.content_hash, E'\n'
                                             ORDER BY o.object_type, o.full_name COLLATE "C"), '')),
           count(*)::integer
      FROM pggit.objects AS o
     WHERE o.branch_id = _tree.branch_id
       AND o.is_active
       AND o.object_type <> 'COLUMN';
$function$;

-- Appends a commit to a branch whose row the caller has locked.
CREATE FUNCTION pggit._append_commit(branch_id integer, hash text, message text, metadata jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_at      timestamp := COALESCE(pggit._trinity_issued_at(hash), LOCALTIMESTAMP);
    v_tree    record;
    v_changed integer;
BEGIN
    SELECT * INTO v_tree FROM pggit._tree(branch_id);
    INSERT INTO pggit.commits (hash, branch_id, parent_commit_hash, message, author, authored_at,
                               committer, committed_at, tree_hash, metadata)
    SELECT _append_commit.hash, b.id, b.head_commit_hash, _append_commit.message,
           pggit._caller(), v_at, pggit._caller(), v_at, v_tree.hash, _append_commit.metadata
      FROM pggit.branches AS b
     WHERE b.id = _append_commit.branch_id;
    WITH stamped AS (
        UPDATE pggit.history AS h
           SET commit_hash = _append_commit.hash
         WHERE h.branch_id = _append_commit.branch_id AND h.commit_hash IS NULL
        RETURNING h.object_id)
    SELECT count(DISTINCT s.object_id) INTO v_changed FROM stamped AS s;
    UPDATE pggit.branches AS b
       SET head_commit_hash = _append_commit.hash, status = 'ACTIVE', merged_at = NULL,
           merged_by = NULL, total_objects = v_tree.objects, modified_objects = v_changed
     WHERE b.id = _append_commit.branch_id;
END;
$function$;

-- The branch to commit to, its row locked.  An unknown one is made from main;
-- a deleted one comes back.
CREATE FUNCTION pggit._branch_to_commit_to(branch_name text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pggit.branches AS b WHERE b.name = branch_name) THEN
        PERFORM pggit._add_branch(branch_name, 'main');
    END IF;
    SELECT b.id INTO STRICT v_branch_id
      FROM pggit.branches AS b
     WHERE b.name = branch_name
       FOR NO KEY UPDATE;
    RETURN v_branch_id;
END;
$function$;

CREATE FUNCTION pggit._check_commit(branch_name text, message text, custom_trinity_id text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pggit._check_branch_name(branch_name);
    IF length(message) > 10000 THEN
        RAISE EXCEPTION 'commit message is too long'
            USING ERRCODE = 'string_data_right_truncation',
                  DETAIL = format('It has %s characters, and may have 10000.', length(message));
    END IF;
    IF length(custom_trinity_id) < 10 THEN
        RAISE EXCEPTION 'custom Trinity ID "%" is too short', custom_trinity_id
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It must have at least 10 characters.';
    END IF;
END;
$function$;

CREATE FUNCTION pggit.commit_changes(
    p_branch_name text, p_message text DEFAULT '', p_custom_trinity_id text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch_id integer;
    v_hash      text;
BEGIN
    PERFORM pggit._check_commit(p_branch_name, p_message, p_custom_trinity_id);
    v_branch_id := pggit._branch_to_commit_to(p_branch_name);
    v_hash := COALESCE(p_custom_trinity_id, pggit.generate_trinity_id());
    PERFORM pggit._append_commit(v_branch_id, v_hash, COALESCE(p_message, ''), '{}');
    RETURN v_hash;
END;
$function$;
COMMENT ON FUNCTION pggit.commit_changes(text, text, text) IS
    'Appends a commit to a branch, made from main if it is new, and answers its Trinity ID.';
