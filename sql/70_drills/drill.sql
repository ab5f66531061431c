--
-- drill(kind, seed), drill_all(category, seed)
--
-- Corrupt, see that fsck() finds it and finds nothing else, heal, see that
-- nothing remains.  Whatever comes of it is rolled back, and so the database is
-- left as it was even where a corruption could not be healed.  What was wrong
-- before does not count.  Writes: nothing that stays.  Locks: those of corrupt()
-- and heal(), until the kind is drilled.
-- Calls: _drill, _corrupt, _heal, fsck, state_digest.
--
CREATE FUNCTION @extschema@.drill(kind text, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
    detected    boolean,
    detected_by text[],
    unrelated   text[],
    healed      boolean,
    elapsed     interval)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.* FROM @extschema@._drill_named(drill.kind, drill.seed) AS d;
$function$;
COMMENT ON FUNCTION @extschema@.drill(text, bigint) IS
    'Corrupts in one way, sees that fsck() finds exactly that, heals, and leaves nothing behind.';

CREATE FUNCTION @extschema@.drill_all(category text DEFAULT NULL, seed bigint DEFAULT 0)
RETURNS TABLE (
    kind        text,
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
    v_kind     @extschema@._corruption_kind;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    PERFORM @extschema@._require_category(category);
    v_findings := @extschema@._findings();
    v_digest := @extschema@.state_digest();
    FOR v_kind IN
        SELECT k.*
          FROM @extschema@._corruption_kind AS k
         WHERE k.category = COALESCE(drill_all.category, k.category)
           AND @extschema@._has(k.requires)
         ORDER BY k.category COLLATE "C", k.kind COLLATE "C"
    LOOP
        BEGIN
            RETURN QUERY
                SELECT d.* FROM @extschema@._drill(v_kind, seed, v_findings, v_digest) AS d;
        EXCEPTION
            WHEN SQLSTATE 'PC004' THEN
                kind := v_kind.kind;
                RETURN NEXT;
        END;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.drill_all(text, bigint) IS
    'Drills each kind that applies, of one category or all; NULLs: there was nothing to corrupt.';

--
-- _drill_named(name, seed), _drill(kind, seed, findings, digest),
-- _drill_heals(corruption_id), _findings(), _require_category(category)
--
-- PL/pgSQL does not allow an argument and a column of one name, as drill() has
-- them.  The findings and the digest are those of the database as it stands.
--
CREATE FUNCTION @extschema@._drill_named(name text, seed bigint)
RETURNS TABLE (
    kind        text,
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
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    RETURN QUERY
        SELECT d.*
          FROM @extschema@._drill(@extschema@._corruption_kind_named(name), seed,
                                  @extschema@._findings(), @extschema@.state_digest()) AS d;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_named(text, bigint) IS
    'Drills one kind of corruption, known by its name.';

CREATE FUNCTION @extschema@._drill(
    corruption_kind @extschema@._corruption_kind, seed bigint, findings jsonb, digest text)
RETURNS TABLE (
    kind        text,
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
    v_spoke text[];
    v_id    bigint;
BEGIN
    kind := corruption_kind.kind;
    BEGIN
        v_id := @extschema@._corrupt(corruption_kind, seed);
        SELECT array_agg(DISTINCT n.finding ->> 'check_id')
          INTO v_spoke
          FROM (SELECT jsonb_array_elements(@extschema@._findings())
                EXCEPT
                SELECT jsonb_array_elements(findings)) AS n(finding);
        -- One statement each: the second needs a snapshot from after the first.
        healed := @extschema@._drill_heals(v_id);
        healed := healed AND @extschema@._findings() = findings
                         AND @extschema@.state_digest() = digest;
        RAISE EXCEPTION 'the drill of "%" is over', kind USING ERRCODE = 'PC099';
    EXCEPTION
        WHEN SQLSTATE 'PC099' THEN
            NULL;  -- All is rolled back but the variables.
    END;
    detected_by := ARRAY(SELECT s.check_id
                           FROM unnest(v_spoke) AS s(check_id)
                          WHERE s.check_id = ANY (corruption_kind.detected_by)
                          ORDER BY s.check_id COLLATE "C");
    unrelated := ARRAY(SELECT s.check_id
                         FROM unnest(v_spoke) AS s(check_id)
                        WHERE s.check_id <> ALL (corruption_kind.detected_by)
                        ORDER BY s.check_id COLLATE "C");
    detected := cardinality(detected_by) > 0;
    elapsed := clock_timestamp() - v_began;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill(@extschema@._corruption_kind, bigint, jsonb, text) IS
    'Drills one kind against the findings and the digest from before, and rolls it back.';

CREATE FUNCTION @extschema@._drill_heals(corruption_id bigint)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._heal(corruption_id);
    RETURN true;
EXCEPTION
    WHEN SQLSTATE 'PC005' THEN
        RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill_heals(bigint) IS
    'Heals a corruption and answers whether its images fitted.';

CREATE FUNCTION @extschema@._findings()
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_agg(jsonb_build_object('check_id', f.check_id,
                                                 'relation', f.relation,
                                                 'row_identity', f.row_identity,
                                                 'message', f.message)), '[]')
      FROM @extschema@._check_findings(NULL, 'info', true) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._findings() IS
    'Holds all findings in the order of fsck(), accepted ones too, to be compared.';

CREATE FUNCTION @extschema@._require_category(category text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF category IS NOT NULL
       AND NOT EXISTS (SELECT
                         FROM @extschema@._corruption_kind AS k
                        WHERE k.category = _require_category.category) THEN
        RAISE EXCEPTION 'category "%" of corruption does not exist', category
            USING ERRCODE = 'undefined_object',
                  DETAIL = (SELECT format('There are %s.', string_agg(DISTINCT k.category, ', '))
                              FROM @extschema@._corruption_kind AS k),
                  HINT = 'SELECT category, kind, summary FROM @extschema@.corruption_kind;';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_category(text) IS
    'Raises 42704 where no kind of corruption has that category.';
