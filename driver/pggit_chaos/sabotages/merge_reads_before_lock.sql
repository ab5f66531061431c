-- category: concurrent
-- A merge looks at its branches before it waits for them, and merges what was deleted since.
CREATE OR REPLACE FUNCTION pggit.merge_branches(
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
    v_source := pggit._existing_branch(p_source_branch);
    v_target := pggit._existing_branch(p_target_branch);
    PERFORM pggit._lock_for_merge(p_source_branch, p_target_branch);
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
