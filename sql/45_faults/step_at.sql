--
-- _step_at(program, seed, failpoint, nth)
--
-- Which step of a program is due at the nth hit of a fault's window (NULL where
-- none is), and whether the program is completed: nothing but "off" can come
-- after this hit.  A pure function of its arguments: there is no state that a
-- rollback could undo or another session could see too late.  At each hit the
-- steps are tried in order; one is passed over when its count is used up, or
-- when its probability says no.  Writes: nothing.
--
CREATE FUNCTION @extschema@._step_at(program jsonb, seed bigint, failpoint text, nth bigint,
                                     OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF program @? '$[*] ? (@.probability != null)' THEN
        SELECT d.step, d.completed INTO step, completed
          FROM @extschema@._step_drawn(program, seed, failpoint, nth) AS d;
    ELSE
        SELECT c.step, c.completed INTO step, completed
          FROM @extschema@._step_counted(program, nth) AS c;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._step_at(jsonb, bigint, text, bigint) IS
    'Finds the step of a program that is due at the nth hit, and whether the program is completed.';

CREATE FUNCTION @extschema@._step_counted(program jsonb, nth bigint,
                                          OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_ends_at float8 := 0;
BEGIN
    completed := true;
    FOR v_i IN 0 .. jsonb_array_length(program) - 1 LOOP
        -- A step without a count lasts for ever, and none behind it is reached.
        v_ends_at := v_ends_at + COALESCE((program -> v_i ->> 'count')::float8, 'infinity');
        step := COALESCE(step, CASE WHEN v_ends_at >= nth THEN program -> v_i END);
        completed := completed
                     AND (v_ends_at <= nth OR program -> v_i ->> 'action' = 'off');
        EXIT WHEN v_ends_at = 'infinity';
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._step_counted(jsonb, bigint) IS
    'As _step_at, for a program without probabilities: the counts say it at once.';

CREATE FUNCTION @extschema@._step_drawn(program jsonb, seed bigint, failpoint text, nth bigint,
                                        OUT step jsonb, OUT completed boolean)
RETURNS record
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_left bigint[];    -- of each count; NULL: without end
    v_step jsonb;
    v_hit  bigint := 0;
    v_i    integer;
BEGIN
    SELECT array_agg((p.step ->> 'count')::bigint ORDER BY p.i) INTO v_left
      FROM jsonb_array_elements(program) WITH ORDINALITY AS p(step, i);
    -- The hits before this one decide how much of each count is left.  Where none has
    -- anything left they decide nothing, and a fault may have been hit a million times.
    WHILE v_hit < nth LOOP
        v_hit := CASE WHEN 0 < ANY (v_left) THEN v_hit + 1 ELSE nth END;
        step := NULL;
        FOR v_i IN 1 .. cardinality(v_left) LOOP
            v_step := program -> (v_i - 1);
            IF v_left[v_i] IS DISTINCT FROM 0
               AND @extschema@._draw(seed, failpoint, v_hit, v_i)
                   < COALESCE((v_step ->> 'probability')::float8, 1) THEN
                v_left[v_i] := v_left[v_i] - 1;
                step := v_step;
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    -- Behind a step that is always due and has no count, no other comes.
    completed := NOT EXISTS (
        SELECT
          FROM jsonb_array_elements(program) WITH ORDINALITY AS p(step, i)
         WHERE p.step ->> 'action' <> 'off'
           AND v_left[p.i] IS DISTINCT FROM 0
           AND p.i <= ALL (SELECT e.i
                             FROM jsonb_array_elements(program) WITH ORDINALITY AS e(step, i)
                            WHERE e.step ->> 'count' IS NULL
                              AND COALESCE((e.step ->> 'probability')::float8, 1) >= 1));
END;
$function$;
COMMENT ON FUNCTION @extschema@._step_drawn(jsonb, bigint, text, bigint) IS
    'As _step_at, for a program with probabilities: plays the hits as far as counts need it.';

--
-- _draw(seed, failpoint, nth, step)
--
-- A number in [0, 1) that depends on its arguments alone.
--
CREATE FUNCTION @extschema@._draw(seed bigint, failpoint text, nth bigint, step integer)
RETURNS float8
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT (hashtextextended(format('%s %s %s', nth, step, failpoint), seed)
            & ((1::bigint << 53) - 1))::float8 / (1::bigint << 53);
$function$;
COMMENT ON FUNCTION @extschema@._draw(bigint, text, bigint, integer) IS
    'Draws a number in [0, 1) from a seed, a failpoint, a hit and a step: always the same one.';
