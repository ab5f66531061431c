--
-- heal(corruption_id), heal_all()
--
-- Undo corruptions exactly, by their images.  heal() answers false where there
-- is nothing left to do; heal_all() answers how many it healed, newest first.
-- A repair goes with the corruptions that it came on top of, and stays otherwise.
-- Later corruptions of the same thing stay, as if they had been done to what is
-- healed.  What anybody else changed since is not overwritten: PC005 names it, and
-- nothing is healed.  They need no opt-in: they put pgGit back.  Writes: pgGit's metadata,
-- _corruption.  Locks: the rows, tables or sequences that the corruption damaged.
-- Calls: _heal.
--
CREATE FUNCTION @extschema@.heal(corruption_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_healed boolean;
BEGIN
    PERFORM @extschema@._require_value(corruption_id, 'corruption_id');
    SELECT c.healed_at IS NOT NULL INTO v_healed
      FROM @extschema@._corruption AS c
     WHERE c.corruption_id = heal.corruption_id
       FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'corruption % does not exist', corruption_id
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT * FROM @extschema@.corruption;';
    ELSIF v_healed THEN
        RETURN false;
    END IF;
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._heal(corruption_id);
    RETURN true;
END;
$function$;
COMMENT ON FUNCTION @extschema@.heal(bigint) IS
    'Undoes one corruption exactly; false where that was done, PC005 over any later change.';

CREATE FUNCTION @extschema@.heal_all()
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id    bigint;
    v_count integer := 0;
BEGIN
    FOR v_id IN
        SELECT c.corruption_id
          FROM @extschema@._corruption AS c
         WHERE c.healed_at IS NULL
           AND (NOT @extschema@._is_repair(c.kind)
                OR EXISTS (SELECT
                             FROM @extschema@._corruption AS o
                            WHERE o.corruption_id < c.corruption_id
                              AND o.healed_at IS NULL
                              AND NOT @extschema@._is_repair(o.kind)))
         ORDER BY c.corruption_id DESC
    LOOP
        IF @extschema@.heal(v_id) THEN
            v_count := v_count + 1;
        END IF;
    END LOOP;
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.heal_all() IS
    'Undoes every corruption that is present, newest first, and answers how many there were.';

--
-- _heal(corruption_id), _heal_row(image), _later_image(image, state),
-- _heal_sequence(image), _heal_object(image), _heal_object_below(image),
-- _refuse_to_heal(image, problem)
--
-- Those of one image answer what stands in the way, or NULL when it is done.
--
CREATE FUNCTION @extschema@._heal(corruption_id bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
AS $function$
DECLARE
    v_image   @extschema@._corruption_image;
    v_problem text;
BEGIN
    FOR v_image IN
        SELECT i.*
          FROM @extschema@._corruption_image AS i
         WHERE i.corruption_id = _heal.corruption_id
         ORDER BY i.step DESC
    LOOP
        v_problem := CASE v_image.method
            WHEN 'row' THEN @extschema@._heal_row(v_image)
            WHEN 'sequence' THEN @extschema@._heal_sequence(v_image)
            WHEN 'statement' THEN @extschema@._heal_object(v_image)
        END;
        IF v_problem IS NOT NULL THEN
            PERFORM @extschema@._refuse_to_heal(v_image, v_problem);
        END IF;
    END LOOP;
    UPDATE @extschema@._corruption AS c
       SET healed_at = statement_timestamp()
     WHERE c.corruption_id = _heal.corruption_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal(bigint) IS
    'Puts back what a corruption damaged, last step first, and marks it healed.';

CREATE FUNCTION @extschema@._heal_row(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := to_regclass(image.object);
    v_left     text := image.after;   -- the row as it must be now
    v_healed   text := image.before;  -- and as it is to be
    v_row      tid;
    v_later    @extschema@._corruption_image;
BEGIN
    IF v_relation IS NULL THEN
        RETURN format('table "%s" does not exist any more', image.object);
    ELSIF @extschema@._row_shape(v_relation) <> image.shape THEN
        RETURN format('the columns of "%s" were changed', image.object);
    END IF;
    v_later := @extschema@._later_image(image, v_left);
    WHILE v_later.corruption_id IS NOT NULL LOOP
        v_left := v_later.after;
        UPDATE @extschema@._corruption_image AS i
           SET before = v_healed,
               after = @extschema@._carry_change(v_relation, v_later.before, v_later.after,
                                                 v_healed)
         WHERE (i.corruption_id, i.step) = (v_later.corruption_id, v_later.step)
        RETURNING i.after INTO v_healed;
        v_later := @extschema@._later_image(v_later, v_left);
    END LOOP;
    IF v_left IS NOT NULL THEN
        v_row := @extschema@._find_row(v_relation, v_left);
        IF v_row IS NULL THEN
            RETURN format('row %s of "%s" was changed',
                          @extschema@._row_identity(v_relation, v_left), image.object);
        END IF;
    END IF;
    IF v_row IS NULL AND v_healed IS NULL THEN
        RETURN NULL;  -- A later corruption has deleted it, and keeps what it was.
    END IF;
    BEGIN
        IF @extschema@._replace_row(v_relation, v_row, v_healed) IS DISTINCT FROM v_healed THEN
            RETURN format('row %s of "%s" does not take its former values',
                          @extschema@._row_identity(v_relation, v_healed), image.object);
        END IF;
    EXCEPTION
        WHEN unique_violation THEN
            RETURN format('another row took the place of row %s of "%s"',
                          @extschema@._row_identity(v_relation, v_healed), image.object);
    END;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_row(@extschema@._corruption_image) IS
    'Puts back one row below what later corruptions did to it; answers what stands in the way.';

CREATE FUNCTION @extschema@._later_image(image @extschema@._corruption_image, state text)
RETURNS @extschema@._corruption_image
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT i.*
      FROM @extschema@._corruption_image AS i
      JOIN @extschema@._corruption AS c ON c.corruption_id = i.corruption_id
     WHERE i.corruption_id > image.corruption_id
       AND i.method = image.method
       AND i.object = image.object
       AND i.before = state
       AND c.healed_at IS NULL
     ORDER BY i.corruption_id, i.step
     LIMIT 1;
$function$;
COMMENT ON FUNCTION @extschema@._later_image(@extschema@._corruption_image, text) IS
    'Finds what the next corruption that is present made of a row or sequence in that state.';

CREATE FUNCTION @extschema@._heal_sequence(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sequence regclass := to_regclass(image.object);
    v_later    @extschema@._corruption_image;
BEGIN
    IF v_sequence IS NULL THEN
        RETURN format('sequence "%s" does not exist any more', image.object);
    END IF;
    v_later := @extschema@._later_image(image, image.after);
    IF v_later.corruption_id IS NOT NULL THEN
        UPDATE @extschema@._corruption_image AS i
           SET before = image.before
         WHERE (i.corruption_id, i.step) = (v_later.corruption_id, v_later.step);
        RETURN NULL;
    END IF;
    PERFORM @extschema@._isolate_sequence(v_sequence);
    IF @extschema@._sequence_state(v_sequence) <> image.after THEN
        RETURN format('sequence "%s" was used or set', image.object);
    END IF;
    PERFORM @extschema@._set_sequence_state(v_sequence, image.before);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_sequence(@extschema@._corruption_image) IS
    'Puts back one sequence below what later corruptions did; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_object(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF @extschema@._probe(image.probe) IS DISTINCT FROM image.after THEN
        RETURN @extschema@._heal_object_below(image);
    END IF;
    EXECUTE image.undo;
    IF @extschema@._probe(image.probe) IS DISTINCT FROM image.before THEN
        RETURN format('%s does not take its former definition', image.object);
    END IF;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_object(@extschema@._corruption_image) IS
    'Puts back one definition; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_object_below(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_later   @extschema@._corruption;
    v_kind    @extschema@._corruption_kind;
    v_problem text;
BEGIN
    SELECT c.* INTO v_later
      FROM @extschema@._corruption AS c
      JOIN @extschema@._corruption_image AS i ON i.corruption_id = c.corruption_id
     WHERE c.corruption_id > image.corruption_id
       AND c.healed_at IS NULL
       AND i.method = 'statement'
       AND i.object = image.object
     ORDER BY c.corruption_id DESC
     LIMIT 1;
    SELECT k.* INTO v_kind
      FROM @extschema@._corruption_kind AS k
     WHERE k.kind = v_later.kind;
    IF NOT FOUND THEN
        RETURN format('%s was changed', image.object);
    END IF;
    -- The undo of the later one was computed over this one: it is done anew.
    PERFORM @extschema@._heal(v_later.corruption_id);
    v_problem := @extschema@._heal_object(image);
    DELETE FROM @extschema@._corruption_image AS i
     WHERE i.corruption_id = v_later.corruption_id;
    UPDATE @extschema@._corruption AS c
       SET healed_at = NULL
     WHERE c.corruption_id = v_later.corruption_id;
    PERFORM @extschema@._corrupt_objects(v_later.corruption_id, v_kind,
                                         @extschema@._pick(v_later.seed, v_later.kind));
    IF NOT EXISTS (SELECT
                     FROM @extschema@._corruption_image AS i
                    WHERE i.corruption_id = v_later.corruption_id
                      AND i.object = image.object) THEN
        v_problem := format('%s was changed', image.object);
    END IF;
    RETURN v_problem;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_object_below(@extschema@._corruption_image) IS
    'Puts back a definition that a later corruption changed too, and does that one again.';

CREATE FUNCTION @extschema@._refuse_to_heal(
    image @extschema@._corruption_image, problem text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_newer bigint;
BEGIN
    SELECT max(c.corruption_id) INTO v_newer
      FROM @extschema@._corruption AS c
      JOIN @extschema@._corruption_image AS i ON i.corruption_id = c.corruption_id
     WHERE c.corruption_id > image.corruption_id
       AND c.healed_at IS NULL
       AND i.object = image.object;
    RAISE EXCEPTION 'corruption % cannot be healed: %', image.corruption_id, problem
        USING ERRCODE = 'PC005',
              DETAIL = format('It left: %s. It was: %s.',
                              COALESCE(image.after, 'nothing'),
                              COALESCE(image.before, 'nothing')),
              HINT = CASE
                  WHEN v_newer IS NOT NULL THEN
                      format('Corruption %s came later. Newest first: '
                             'SELECT @extschema@.heal_all();', v_newer)
                  ELSE
                      format('Put it back as it was left and heal again, or give it up: '
                             'DELETE FROM @extschema@._corruption WHERE corruption_id = %s;',
                             image.corruption_id)
              END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._refuse_to_heal(@extschema@._corruption_image, text) IS
    'Raises PC005 with what stands in the way, both images, and the way out.';
