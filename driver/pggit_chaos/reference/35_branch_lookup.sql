--
-- Finding branches, and the one that this session is on.
--

-- Raises unless the branch is there.  A deleted branch is not: its row stays
-- for the commits that it holds.
CREATE FUNCTION pggit._existing_branch(branch_name text)
RETURNS pggit.branches
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    IF branch_name IS NULL THEN
        RAISE EXCEPTION 'branch name must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT b.* INTO v_branch FROM pggit.branches AS b WHERE b.name = branch_name;
    IF v_branch.id IS NULL THEN
        RAISE EXCEPTION 'branch "%" does not exist', branch_name
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT * FROM pggit.list_branches();';
    END IF;
    IF v_branch.status = 'DELETED' THEN
        RAISE EXCEPTION 'branch "%" is deleted', branch_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'A commit to it revives it.';
    END IF;
    RETURN v_branch;
END;
$function$;

CREATE FUNCTION pggit._check_branch_name(branch_name text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF branch_name IS NULL THEN
        RAISE EXCEPTION 'branch name must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF branch_name !~ '^[a-zA-Z0-9._/#-]+$' THEN
        RAISE EXCEPTION 'invalid branch name: "%"', branch_name
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'A branch name is made of letters, digits and the characters . _ / # -.';
    END IF;
END;
$function$;

CREATE FUNCTION pggit._current_branch_name()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A setting that was reset, or rolled back, is empty rather than unknown.
    SELECT COALESCE(NULLIF(current_setting('pggit.current_branch', true), ''), 'main');
$function$;

-- Whoever writes what belongs to a branch holds a key share lock on its row
-- until the end of the transaction.  Deleting and merging take the row FOR
-- UPDATE: they see no half of a transaction, and no history number that
-- commits after them.
CREATE FUNCTION pggit._share_branch(branch_name text)
RETURNS pggit.branches
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_branch pggit.branches;
BEGIN
    PERFORM FROM pggit.branches AS b WHERE b.name = branch_name FOR KEY SHARE;
    -- Read after the lock was waited for, not before.
    v_branch := pggit._existing_branch(branch_name);
    RETURN v_branch;
END;
$function$;
