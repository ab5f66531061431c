-- category: transaction
-- A commit to a deleted branch is stored, and the branch stays deleted.
CREATE OR REPLACE FUNCTION pggit._append_commit(
    branch_id integer, hash text, message text, metadata jsonb)
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
       SET head_commit_hash = _append_commit.hash,
           total_objects = v_tree.objects, modified_objects = v_changed
     WHERE b.id = _append_commit.branch_id;
END;
$function$;
