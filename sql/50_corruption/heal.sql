--
-- heal(corruption_id), heal_all()
--
-- Undo corruptions exactly, by their images.  heal() answers false where there
-- is nothing left to do; heal_all() answers how many it healed, newest first.
-- What was changed since is not overwritten: PC005 names it, and nothing is
-- healed.  They need no opt-in: they put pgGit back.  Writes: pgGit's metadata,
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
    UPDATE @extschema@._corruption AS c
       SET healed_at = statement_timestamp()
     WHERE c.corruption_id = heal.corruption_id;
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
-- _heal(corruption_id), _heal_row(image), _heal_sequence(image), _heal_object(image),
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
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal(bigint) IS
    'Puts back what a corruption damaged, last step first.';

CREATE FUNCTION @extschema@._heal_row(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := to_regclass(image.object);
    v_row      tid;
BEGIN
    IF v_relation IS NULL THEN
        RETURN format('table "%s" does not exist any more', image.object);
    ELSIF @extschema@._row_shape(v_relation) <> image.shape THEN
        RETURN format('the columns of "%s" were changed', image.object);
    END IF;
    IF image.after IS NOT NULL THEN
        v_row := @extschema@._find_row(v_relation, image.after);
        IF v_row IS NULL THEN
            RETURN format('row %s of "%s" was changed',
                          @extschema@._row_identity(v_relation, image.after), image.object);
        END IF;
    END IF;
    BEGIN
        IF @extschema@._replace_row(v_relation, v_row, image.before)
           IS DISTINCT FROM image.before THEN
            RETURN format('row %s of "%s" does not take its former values',
                          @extschema@._row_identity(v_relation, image.before), image.object);
        END IF;
    EXCEPTION
        WHEN unique_violation THEN
            RETURN format('another row took the place of row %s of "%s"',
                          @extschema@._row_identity(v_relation, image.before), image.object);
    END;
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heal_row(@extschema@._corruption_image) IS
    'Puts back one row; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_sequence(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_sequence regclass := to_regclass(image.object);
BEGIN
    IF v_sequence IS NULL THEN
        RETURN format('sequence "%s" does not exist any more', image.object);
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
    'Puts back one sequence; answers what stands in the way.';

CREATE FUNCTION @extschema@._heal_object(image @extschema@._corruption_image)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF @extschema@._probe(image.probe) IS DISTINCT FROM image.after THEN
        RETURN format('%s was changed', image.object);
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
