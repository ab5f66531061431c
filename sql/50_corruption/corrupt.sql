--
-- corrupt(kind, seed)
--
-- Does one corruption and answers its id.  The same seed chooses the same
-- victims.  Writes: _corruption, _corruption_image, pgGit's metadata.  Locks:
-- SHARE ROW EXCLUSIVE on the table or sequence that it damages.  Undone by
-- heal(), exactly, and by rollback, sequences included.
-- Calls: _corrupt.
--
CREATE FUNCTION @extschema@.corrupt(kind text, seed bigint DEFAULT 0)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(kind, 'kind');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    RETURN @extschema@._corrupt(@extschema@._corruption_kind_named(kind), seed);
END;
$function$;
COMMENT ON FUNCTION @extschema@.corrupt(text, bigint) IS
    'Damages pgGit''s metadata in the named way, so that heal() can undo it, and answers its id.';

--
-- _corrupt(kind, seed), _corrupt_rows(...), _damaged_rows(kind),
-- _id_ranges(relation, seed), _corrupt_sequences(...), _corrupt_objects(...),
-- _probe(probe)
--
-- Under the replica role neither pgGit nor its foreign keys see the damage.  The
-- other settings decide how a value reads as text: pinned, an image means the
-- same in every session.  heal() pins the same ones.
--
CREATE FUNCTION @extschema@._corrupt(kind @extschema@._corruption_kind, seed bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
SET jit = off
AS $function$
DECLARE
    v_id   bigint;
    -- Kinds that are done with one seed do not all fall on the same victim.
    v_seed bigint := @extschema@._pick(seed, kind.kind);
BEGIN
    INSERT INTO @extschema@._corruption (kind, seed, done_at, done_by)
    VALUES (_corrupt.kind.kind, seed, statement_timestamp(), session_user)
    RETURNING corruption_id INTO v_id;
    CASE kind.method
        WHEN 'sequence' THEN
            PERFORM @extschema@._corrupt_sequences(v_id, kind, v_seed);
        WHEN 'statement' THEN
            PERFORM @extschema@._corrupt_objects(v_id, kind, v_seed);
        ELSE
            PERFORM @extschema@._corrupt_rows(v_id, kind, v_seed);
    END CASE;
    IF NOT EXISTS (SELECT
                     FROM @extschema@._corruption_image AS i
                    WHERE i.corruption_id = v_id) THEN
        RAISE EXCEPTION 'there is nothing to corrupt by "%"', kind.kind
            USING ERRCODE = 'PC004',
                  DETAIL = format('No %s of this pgGit fits: %s.',
                                  COALESCE('row of "' || kind.relation || '"', 'object'),
                                  kind.summary),
                  HINT = 'Let pgGit do some ordinary work first: branches, commits, DDL.';
    END IF;
    RETURN v_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt(@extschema@._corruption_kind, bigint) IS
    'Does one corruption of a kind that is known to apply; raises PC004 where it finds no victim.';

CREATE FUNCTION @extschema@._corrupt_rows(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_relation regclass := kind.relation;
    v_range    record;
    v_rows     bigint;
BEGIN
    -- Nobody may change a victim between its image and its damage.
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', v_relation);
    FOR v_range IN
        SELECT r.* FROM @extschema@._id_ranges(v_relation, seed) AS r
    LOOP
        EXECUTE format('INSERT INTO @extschema@._corruption_image'
                       '    (corruption_id, step, method, object, before, after, shape)'
                       ' SELECT $4, row_number() OVER ('
                       '            ORDER BY d.before COLLATE "C", d.after COLLATE "C"),'
                       '        ''row'', $5, d.before, d.after, $6'
                       '   FROM (%s) AS d(before, after)'
                       '  WHERE d.before IS DISTINCT FROM d.after',
                       @extschema@._damaged_rows(kind))
          USING seed, v_range.low, v_range.high, corruption_id, v_relation::text,
                @extschema@._row_shape(v_relation);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        EXIT WHEN v_rows > 0;
    END LOOP;
    -- The row as it is then: a generated column has followed the others.
    UPDATE @extschema@._corruption_image AS i
       SET after = @extschema@._replace_row(
               v_relation,
               CASE WHEN i.before IS NOT NULL
                    THEN @extschema@._find_row(v_relation, i.before) END,
               i.after)
     WHERE i.corruption_id = _corrupt_rows.corruption_id;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_rows(bigint, @extschema@._corruption_kind, bigint) IS
    'Updates, deletes or inserts the rows that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._damaged_rows(kind @extschema@._corruption_kind)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format(CASE kind.method
                      WHEN 'update' THEN
                          'SELECT (t.*)::text, jsonb_populate_record(t.*, d.change)::text'
                          '  FROM (%2$s) AS d JOIN ONLY %1$s AS t ON t.ctid = d.victim'
                      WHEN 'delete' THEN
                          'SELECT (t.*)::text, NULL'
                          '  FROM (%2$s) AS d JOIN ONLY %1$s AS t ON t.ctid = d.victim'
                      WHEN 'insert' THEN
                          'SELECT NULL, jsonb_populate_record(NULL::%1$s, d.new_row)::text'
                          '  FROM (%2$s) AS d'
                  END, kind.relation::regclass, kind.query);
$function$;
COMMENT ON FUNCTION @extschema@._damaged_rows(@extschema@._corruption_kind) IS
    'Makes the query for the images, before and after, of the rows that a kind chooses.';

CREATE FUNCTION @extschema@._id_ranges(relation regclass, seed bigint)
RETURNS TABLE (low bigint, high bigint)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- From where the seed points to on, then all of it: so a victim is found by the
    -- primary key, however large the table, and none is overlooked.
    IF EXISTS (SELECT
                 FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = relation
                  AND a.attname = 'id'
                  AND a.atttypid IN ('integer'::regtype, 'bigint'::regtype)) THEN
        EXECUTE format('SELECT min(t.id), max(t.id) FROM ONLY %s AS t', relation)
           INTO low, high;
        RETURN QUERY SELECT low + abs(seed % (high - low + 1)), high;
    END IF;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._id_ranges(regclass, bigint) IS
    'Answers where a kind of corruption looks for victims, first a part that the seed chooses.';

CREATE FUNCTION @extschema@._corrupt_sequences(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_step   integer := 0;
    v_damage record;
BEGIN
    FOR v_damage IN EXECUTE kind.query USING seed LOOP
        v_step := v_step + 1;
        PERFORM @extschema@._isolate_sequence(v_damage.sequence);
        INSERT INTO @extschema@._corruption_image
            (corruption_id, step, method, object, before, after)
        VALUES (_corrupt_sequences.corruption_id, v_step, 'sequence',
                v_damage.sequence, @extschema@._sequence_state(v_damage.sequence),
                (v_damage.last_value, v_damage.is_called)::text);
        PERFORM setval(v_damage.sequence, v_damage.last_value, v_damage.is_called);
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_sequences(bigint, @extschema@._corruption_kind, bigint) IS
    'Moves the sequences that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._corrupt_objects(
    corruption_id bigint, kind @extschema@._corruption_kind, seed bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_step   integer := 0;
    v_damage record;
BEGIN
    FOR v_damage IN EXECUTE kind.query USING seed LOOP
        v_step := v_step + 1;
        INSERT INTO @extschema@._corruption_image
            (corruption_id, step, method, object, before, undo, probe)
        VALUES (_corrupt_objects.corruption_id, v_step, 'statement',
                v_damage.object, @extschema@._probe(v_damage.probe), v_damage.undo,
                v_damage.probe);
        EXECUTE v_damage.damage;
        UPDATE @extschema@._corruption_image AS i
           SET after = @extschema@._probe(i.probe)
         WHERE i.corruption_id = _corrupt_objects.corruption_id
           AND i.step = v_step;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_objects(bigint, @extschema@._corruption_kind, bigint) IS
    'Damages the definitions that a kind of corruption chooses, images first.';

CREATE FUNCTION @extschema@._probe(probe text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_state text;
BEGIN
    EXECUTE probe INTO v_state;
    RETURN v_state;
END;
$function$;
COMMENT ON FUNCTION @extschema@._probe(text) IS
    'Runs the query that reads the state of an object; NULL where the object is gone.';
