--
-- drill_pair(kind, other, seed), drill_pairs(category, seed)
--
-- Drill two kinds of corruption at once, on different victims: neither may hide the
-- other, no check may speak that belongs to neither, and they are healed in both
-- orders.  Otherwise as drill().
-- Calls: _drill_pair.
--
CREATE FUNCTION @extschema@.drill_pair(kind text, other text, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
    other       text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.* FROM @extschema@._drill_pair_named(drill_pair.kind, drill_pair.other,
                                                  drill_pair.seed) AS d;
$function$;
COMMENT ON FUNCTION @extschema@.drill_pair(text, text, bigint) IS
    'Corrupts in two ways at once, sees that both are found and nothing else, heals in both orders.';

CREATE FUNCTION @extschema@.drill_pairs(category text DEFAULT NULL, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
    other       text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_findings jsonb;
    v_digest   text;
    v_pair     record;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._require_category(category);
    v_findings := @extschema@._findings(NULL);
    v_digest := @extschema@.state_digest();
    FOR v_pair IN
        SELECT a AS kind, b AS other
          FROM @extschema@._corruption_kind AS a
          JOIN @extschema@._corruption_kind AS b ON a.kind COLLATE "C" < b.kind COLLATE "C"
         WHERE a.category = COALESCE(drill_pairs.category, a.category)
           AND b.category = COALESCE(drill_pairs.category, b.category)
           AND @extschema@._has(a.requires)
           AND @extschema@._has(b.requires)
         ORDER BY a.kind COLLATE "C", b.kind COLLATE "C"
    LOOP
        BEGIN
            RETURN QUERY
                SELECT d.*
                  FROM @extschema@._drill_pair(v_pair.kind, v_pair.other, seed, v_findings,
                                               v_digest) AS d;
        EXCEPTION
            WHEN SQLSTATE 'PC004' THEN
                kind := (v_pair.kind).kind;
                other := (v_pair.other).kind;
                RETURN NEXT;
        END;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.drill_pairs(text, bigint) IS
    'Drills each two kinds that apply, of one category or all; NULLs: no two victims for them.';

--
-- _drill_pair_named(kind, other, seed), _drill_pair(kind, other, seed, findings, digest),
-- _corrupt_apart(kind, seed, from_corruption)
--
CREATE FUNCTION @extschema@._drill_pair_named(name text, other_name text, seed bigint)
RETURNS TABLE (
    kind        text,
    other       text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(name, 'kind');
    PERFORM @extschema@._require_value(other_name, 'other');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    RETURN QUERY
        SELECT d.*
          FROM @extschema@._drill_pair(@extschema@._corruption_kind_named(name),
                                       @extschema@._corruption_kind_named(other_name), seed,
                                       @extschema@._findings(NULL),
                                       @extschema@.state_digest()) AS d;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_pair_named(text, text, bigint) IS
    'Drills two kinds of corruption at once, known by their names.';

CREATE FUNCTION @extschema@._drill_pair(
    first @extschema@._corruption_kind, second @extschema@._corruption_kind, seed bigint,
    findings jsonb, digest text)
RETURNS TABLE (
    kind        text,
    other       text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_began CONSTANT timestamptz := clock_timestamp();
    v_checks  text[];
    v_outside jsonb;
    v_first   jsonb;
    v_both    jsonb;
    v_id      bigint;
    v_other   bigint;
    v_names   text[];
BEGIN
    kind := first.kind;
    other := second.kind;
    IF 'statement' IN (first.method, second.method) THEN
        v_outside := findings;
    END IF;
    BEGIN
        PERFORM @extschema@._record_for(first), @extschema@._record_for(second);
        IF first.relation IS NOT NULL AND second.relation IS NOT NULL THEN
            v_checks := @extschema@._checks_of(first) || @extschema@._checks_of(second);
        END IF;
        v_id := @extschema@._corrupt(first, seed);
        v_first := @extschema@._findings(v_checks);
        v_other := @extschema@._corrupt_apart(second, seed, v_id);
        v_both := @extschema@._findings(v_checks);
        healed := @extschema@._heals_exactly(ARRAY[v_id, v_other], v_outside, digest)
                  AND @extschema@._heals_exactly(ARRAY[v_other, v_id], v_outside, digest);
        RAISE EXCEPTION 'the drill of "%" and "%" is over', kind, other USING ERRCODE = 'PC099';
    EXCEPTION
        WHEN SQLSTATE 'PC099' THEN
            NULL;  -- All is rolled back but the variables.
    END;
    v_names := first.detected_by || second.detected_by;
    detected_by := @extschema@._detected_by(v_both, findings, v_names);
    unrelated := @extschema@._unrelated(v_both, findings,
                                        @extschema@._concerned_checks(first)
                                        || @extschema@._concerned_checks(second));
    -- Two kinds may have one check: then it must say something more of the second.
    detected := detected_by && first.detected_by
                AND @extschema@._detected_by(v_both, v_first, second.detected_by) <> '{}';
    elapsed := clock_timestamp() - v_began;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_pair(
    @extschema@._corruption_kind, @extschema@._corruption_kind, bigint, jsonb, text) IS
    'Drills two kinds against the findings and the digest from before, and rolls it back.';

CREATE FUNCTION @extschema@._corrupt_apart(
    kind @extschema@._corruption_kind, seed bigint, from_corruption bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id bigint;
BEGIN
    FOR v_try IN 0 .. 15 LOOP
        BEGIN
            v_id := @extschema@._corrupt(kind, seed + v_try);
            IF NOT EXISTS (SELECT
                             FROM @extschema@._corruption_image AS i
                             JOIN @extschema@._corruption_image AS k
                               ON k.method = i.method
                              AND k.object = i.object
                              AND (k.method <> 'row' OR k.before = i.after)
                            WHERE i.corruption_id = from_corruption
                              AND k.corruption_id = v_id) THEN
                RETURN v_id;
            END IF;
            RAISE EXCEPTION 'both have one victim' USING ERRCODE = 'PC099';
        EXCEPTION
            WHEN SQLSTATE 'PC099' THEN
                NULL;  -- Another seed may choose another one.
        END;
    END LOOP;
    RAISE EXCEPTION 'there is nothing else to corrupt by "%"', kind.kind
        USING ERRCODE = 'PC004',
              DETAIL = 'Whatever fits is damaged by the other corruption already.',
              HINT = 'Let pgGit do some ordinary work first: branches, commits, DDL.';
END;
$function$;
COMMENT ON FUNCTION @extschema@._corrupt_apart(@extschema@._corruption_kind, bigint, bigint) IS
    'Does a corruption whose victims another one has spared; PC004 where there are none.';
