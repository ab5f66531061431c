--
-- fsck(checks, min_severity)
--
-- Runs the named checks, by default all that apply, and answers a row for each
-- finding but those that were accepted: no row means sound.  What cannot be
-- checked raises: a check that was named and does not apply, a row that a policy
-- would hide.  Writes: nothing.
-- Calls: _check_findings.
--
CREATE FUNCTION @extschema@.fsck(checks text[] DEFAULT NULL, min_severity text DEFAULT 'info')
RETURNS TABLE (
    check_id     text,
    severity     text,
    relation     text,
    row_identity text,
    message      text,
    action       text,
    repairable   boolean)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_value(min_severity, 'min_severity');
    IF min_severity NOT IN ('info', 'warning', 'error') THEN
        RAISE EXCEPTION 'severity "%" does not exist', min_severity
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is one of info, warning, error.';
    END IF;
    IF cardinality(checks) = 0 THEN
        RAISE EXCEPTION 'no check is named'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave the argument out to run all checks.';
    END IF;
    PERFORM @extschema@._require_value(c.check_id, 'checks'),
            @extschema@._require_check(c.check_id)
       FROM unnest(checks) AS c(check_id);
    RETURN QUERY SELECT f.* FROM @extschema@._check_findings(checks, min_severity, false) AS f;
END;
$function$;
COMMENT ON FUNCTION @extschema@.fsck(text[], text) IS
    'Checks pgGit''s metadata and answers a row for each thing that is wrong; none: sound.';

--
-- _check_findings(checks, min_severity, with_accepted)
--
-- The findings of checks that exist, of all that apply where NULL.  STABLE, so
-- that all checks see one snapshot.  Without nested loops, because statistics
-- may be old or none: what was planned for a row would be run for a million.
--
CREATE FUNCTION @extschema@._check_findings(
    checks text[], min_severity text, with_accepted boolean)
RETURNS TABLE (
    check_id     text,
    severity     text,
    relation     text,
    row_identity text,
    message      text,
    action       text,
    repairable   boolean)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET quote_all_identifiers = off
SET jit = off
SET enable_nestloop = off
AS $function$
DECLARE
    v_severities CONSTANT text[] := ARRAY['info', 'warning', 'error'];
    v_check      record;
    v_chosen     CONSTANT text[] := COALESCE(checks, @extschema@._applying_checks());
    -- To plan this with each check is a part of the time that there are few rows to check.
    v_but_for    CONSTANT text :=
        CASE WHEN with_accepted OR NOT EXISTS (SELECT FROM @extschema@._accepted_finding)
             THEN ''
             ELSE ' WHERE NOT EXISTS (SELECT'
                  '                     FROM @extschema@._accepted_finding AS a'
                  '                    WHERE (a.check_id, a.row_identity)'
                  '                        = ($1, f.row_identity))'
        END;
BEGIN
    FOR v_check IN
        SELECT c.*, r.check_id IS NOT NULL AS repairable
          FROM @extschema@._integrity_check AS c
          LEFT JOIN @extschema@._repair AS r ON r.check_id = c.check_id
         WHERE c.check_id = ANY (v_chosen)
           AND array_position(v_severities, c.severity)
               >= array_position(v_severities, min_severity)
         ORDER BY c.check_id COLLATE "C"
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT $1, $2, $3, f.row_identity, f.message, $4, $5'
            '  FROM (%s) AS f(row_identity, message)'
            '%s'
            ' ORDER BY f.row_identity COLLATE "C", f.message COLLATE "C"',
            v_check.query, v_but_for)
            USING v_check.check_id, v_check.severity, v_check.relation, v_check.action,
                  v_check.repairable;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._check_findings(text[], text, boolean) IS
    'Holds the findings of the named checks, or of all that apply, with or without the accepted.';
