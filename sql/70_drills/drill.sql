--
-- drill(kind, seed), drill_all(category, seed)
--
-- Corrupt, see that the checks find it and find nothing else, heal, see that
-- nothing remains.  Whatever comes of it is rolled back, and so the database is
-- left as it was even where a corruption could not be healed.  What was wrong
-- before does not count, nor whether it was accepted.  A kind that only a comparison
-- with recorded digests can find is drilled all the same: where none are recorded,
-- the drill records them, for itself.  Writes: nothing that stays.
-- Locks: those of corrupt() and heal(), until the kind is drilled.
-- Calls: _drill, _record_for, _corrupt, _heal, _check_findings, state_digest.
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
    v_findings := @extschema@._findings(NULL);
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
-- _heals_exactly(corruptions, findings, digest), _checks_of(kind),
-- _concerned_checks(kind), _findings(checks),
-- _detected_by(findings, known, checks), _unrelated(findings, known, checks),
-- _require_category(category)
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
DECLARE
    v_kind @extschema@._corruption_kind;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(name, 'kind');
    PERFORM @extschema@._require_value(seed, 'seed');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_replica_role();
    v_kind := @extschema@._corruption_kind_named(name);
    RETURN QUERY
        SELECT d.*
          FROM @extschema@._drill(v_kind, seed,
                                  @extschema@._findings(@extschema@._checks_of(v_kind)),
                                  @extschema@.state_digest()) AS d;
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
    v_found jsonb;
    v_id    bigint;
BEGIN
    kind := corruption_kind.kind;
    BEGIN
        PERFORM @extschema@._record_for(corruption_kind);
        v_id := @extschema@._corrupt(corruption_kind, seed);
        v_found := @extschema@._findings(@extschema@._checks_of(corruption_kind));
        healed := @extschema@._heals_exactly(
            ARRAY[v_id], CASE WHEN corruption_kind.method = 'statement' THEN findings END, digest);
        RAISE EXCEPTION 'the drill of "%" is over', kind USING ERRCODE = 'PC099';
    EXCEPTION
        WHEN SQLSTATE 'PC099' THEN
            NULL;  -- All is rolled back but the variables.
    END;
    detected_by := @extschema@._detected_by(v_found, findings, corruption_kind.detected_by);
    unrelated := @extschema@._unrelated(v_found, findings,
                                        @extschema@._concerned_checks(corruption_kind));
    detected := cardinality(detected_by) > 0;
    elapsed := clock_timestamp() - v_began;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._drill(@extschema@._corruption_kind, bigint, jsonb, text) IS
    'Drills one kind against the findings and the digest from before, and rolls it back.';

CREATE FUNCTION @extschema@._heals_exactly(corruptions bigint[], findings jsonb, digest text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_id    bigint;
    v_exact boolean;
BEGIN
    FOREACH v_id IN ARRAY corruptions LOOP
        PERFORM @extschema@._heal(v_id);
    END LOOP;
    -- The digest covers every row and definition of pgGit: where it is as before, so
    -- are the findings.  Definitions outside of pgGit's schemas it does not cover.
    v_exact := @extschema@.state_digest() = digest
               AND (findings IS NULL OR @extschema@._findings(NULL) = findings);
    RAISE EXCEPTION 'the drill is over' USING ERRCODE = 'PC099';
EXCEPTION
    WHEN SQLSTATE 'PC099' THEN
        RETURN v_exact;
    WHEN SQLSTATE 'PC005' THEN
        RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._heals_exactly(bigint[], jsonb, text) IS
    'Heals corruptions in that order, answers whether all is as it was, and takes it back.';

CREATE FUNCTION @extschema@._checks_of(kind @extschema@._corruption_kind)
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A check tells which tables it reads; none: it reads the catalogue.  What only
    -- changes rows of one table can change the findings of those alone that read it.
    SELECT CASE WHEN kind.relation IS NOT NULL THEN
               ARRAY(SELECT c.check_id
                       FROM @extschema@._integrity_check AS c
                      WHERE c.check_id = ANY ((SELECT @extschema@._applying_checks())::text[])
                        AND (c.requires = '{}'
                             OR EXISTS (SELECT
                                          FROM unnest(c.requires) AS r(name)
                                         WHERE r.name = kind.relation
                                            OR starts_with(r.name, kind.relation || '.'))))
           END;
$function$;
COMMENT ON FUNCTION @extschema@._checks_of(@extschema@._corruption_kind) IS
    'Names the checks whose findings a kind of corruption may change; NULL: any check''s.';

CREATE FUNCTION @extschema@._concerned_checks(kind @extschema@._corruption_kind)
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- What compares a table with what was recorded of it sees each change of its rows.
    SELECT kind.detected_by
           || ARRAY(SELECT c.check_id
                      FROM @extschema@._integrity_check AS c
                     WHERE c.compares IS NOT NULL
                       AND c.relation = kind.relation);
$function$;
COMMENT ON FUNCTION @extschema@._concerned_checks(@extschema@._corruption_kind) IS
    'Names the checks that may speak of a kind: its own, and what compares with digests.';

CREATE FUNCTION @extschema@._findings(checks text[])
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_agg(jsonb_build_object('check_id', f.check_id,
                                                 'relation', f.relation,
                                                 'row_identity', f.row_identity,
                                                 'message', f.message)), '[]')
      FROM @extschema@._check_findings(checks, 'info', true) AS f;
$function$;
COMMENT ON FUNCTION @extschema@._findings(text[]) IS
    'Holds what these checks find, all where NULL, accepted findings too, to be compared.';

CREATE FUNCTION @extschema@._detected_by(findings jsonb, known jsonb, checks text[])
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ARRAY(SELECT DISTINCT (n.finding ->> 'check_id') COLLATE "C"
                   FROM (SELECT jsonb_array_elements(findings)
                         EXCEPT
                         SELECT jsonb_array_elements(known)) AS n(finding)
                  WHERE n.finding ->> 'check_id' = ANY (checks)
                  ORDER BY 1);
$function$;
COMMENT ON FUNCTION @extschema@._detected_by(jsonb, jsonb, text[]) IS
    'Names those of the checks that have something to say which is not known yet.';

CREATE FUNCTION @extschema@._unrelated(findings jsonb, known jsonb, checks text[])
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A finding from before that only reads otherwise, of a row that was damaged, is no
    -- new one.
    SELECT ARRAY(SELECT DISTINCT (n.finding ->> 'check_id') COLLATE "C"
                   FROM (SELECT f.finding - 'message'
                           FROM jsonb_array_elements(findings) AS f(finding)
                         EXCEPT
                         SELECT k.finding - 'message'
                           FROM jsonb_array_elements(known) AS k(finding)) AS n(finding)
                  WHERE n.finding ->> 'check_id' <> ALL (checks)
                  ORDER BY 1);
$function$;
COMMENT ON FUNCTION @extschema@._unrelated(jsonb, jsonb, text[]) IS
    'Names the other checks that have a finding which was not there before.';

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
