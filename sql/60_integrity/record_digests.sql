--
-- record_digests(subjects, replace), forget_digests(subjects)
--
-- Record what commits, history and pgGit's functions read, so that fsck() can tell
-- from then on when one reads otherwise, or is gone.  To record again adds what is
-- new.  What reads otherwise stays as it was recorded, and goes on to be found,
-- unless replace is true: then it is recorded as it is now, and what is gone is
-- forgotten.  The hooks of pggit_chaos are left out of it.  Write: _recorded_digest.
-- Lock: SHARE ROW EXCLUSIVE on that, and ACCESS SHARE on what is read.
-- Calls: _record_digests.
--
CREATE FUNCTION @extschema@.record_digests(
    subjects text[] DEFAULT NULL, replace boolean DEFAULT false)
RETURNS TABLE (subject text, added bigint, kept bigint, differing bigint, gone bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_recording @extschema@._recording;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(replace, 'replace');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_subjects(subjects);
    PERFORM @extschema@._require_recordable(subjects);
    LOCK TABLE @extschema@._recorded_digest IN SHARE ROW EXCLUSIVE MODE;
    FOR v_recording IN
        SELECT r.*
          FROM @extschema@._recording AS r
          JOIN @extschema@._integrity_check AS c ON c.check_id = r.check_id
         WHERE r.subject = ANY (COALESCE(subjects, ARRAY[r.subject]))
           AND @extschema@._has(c.requires)
         ORDER BY r.subject COLLATE "C"
    LOOP
        RETURN QUERY
            SELECT d.* FROM @extschema@._record_digests(v_recording, replace) AS d;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@.record_digests(text[], boolean) IS
    'Records what commits, history and functions read now, so that fsck() finds what changes.';

CREATE FUNCTION @extschema@.forget_digests(subjects text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_count bigint;
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_subjects(subjects);
    DELETE FROM @extschema@._recorded_digest AS d
     WHERE d.subject = ANY (COALESCE(subjects, ARRAY[d.subject]));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END;
$function$;
COMMENT ON FUNCTION @extschema@.forget_digests(text[]) IS
    'Forgets what was recorded of these subjects, or of all, and answers how many digests it were.';

--
-- recorded_digest
--
CREATE VIEW @extschema@.recorded_digest AS
SELECT d.subject,
       count(*) AS digests,
       min(d.recorded_at) AS first_recorded_at,
       max(d.recorded_at) AS last_recorded_at
  FROM @extschema@._recorded_digest AS d
 GROUP BY d.subject;
COMMENT ON VIEW @extschema@.recorded_digest IS
    'Of what digests are recorded, how many, and from when they are.';

--
-- _record_digests(recording, replace), _record_for(kind), _require_subjects(subjects),
-- _require_recordable(subjects)
--
-- The settings are those of _check_findings(): what is recorded is read back there.
-- One pass over the subject and one over its digests, whatever their number.
--
CREATE FUNCTION @extschema@._record_digests(
    recording @extschema@._recording, replace boolean)
RETURNS TABLE (subject text, added bigint, kept bigint, differing bigint, gone bigint)
LANGUAGE plpgsql
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
BEGIN
    subject := recording.subject;
    EXECUTE format(
        'WITH compared AS MATERIALIZED ('
        '    SELECT n.row_identity AS now, n.digest, d.row_identity AS recorded,'
        '           n.digest <> d.digest AS differs'
        '      FROM (%s) AS n(row_identity, digest)'
        '      FULL JOIN (SELECT d.row_identity, d.digest'
        '                   FROM @extschema@._recorded_digest AS d'
        '                  WHERE d.subject = $1) AS d ON d.row_identity = n.row_identity),'
        'added AS ('
        '    INSERT INTO @extschema@._recorded_digest'
        '        (subject, row_identity, digest, recorded_at)'
        '    SELECT $1, c.now, c.digest, statement_timestamp()'
        '      FROM compared AS c WHERE c.recorded IS NULL),'
        'replaced AS ('
        '    UPDATE @extschema@._recorded_digest AS d'
        '       SET digest = c.digest, recorded_at = statement_timestamp()'
        '      FROM compared AS c'
        '     WHERE $2 AND c.differs AND d.subject = $1 AND d.row_identity = c.recorded),'
        'forgotten AS ('
        '    DELETE FROM @extschema@._recorded_digest AS d'
        '     USING compared AS c'
        '     WHERE $2 AND c.now IS NULL AND d.subject = $1 AND d.row_identity = c.recorded)'
        'SELECT count(*) FILTER (WHERE c.recorded IS NULL),'
        '       count(*) FILTER (WHERE NOT c.differs),'
        '       count(*) FILTER (WHERE c.differs),'
        '       count(*) FILTER (WHERE c.now IS NULL)'
        '  FROM compared AS c', recording.query)
       INTO added, kept, differing, gone
      USING recording.subject, replace;
    RETURN NEXT;
END;
$function$;
COMMENT ON FUNCTION @extschema@._record_digests(@extschema@._recording, boolean) IS
    'Records the digests of one subject, and counts what was new, the same, otherwise and gone.';

CREATE FUNCTION @extschema@._record_for(kind @extschema@._corruption_kind)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT d.subject
      FROM @extschema@._recording AS r
     CROSS JOIN LATERAL @extschema@._record_digests(r, false) AS d
     WHERE r.subject IN (SELECT c.compares
                           FROM @extschema@._integrity_check AS c
                          WHERE c.check_id = ANY (kind.detected_by)
                            AND @extschema@._has(c.requires))
       AND NOT EXISTS (SELECT
                         FROM @extschema@._integrity_check AS c
                        WHERE c.check_id = ANY (kind.detected_by)
                          AND c.compares IS NULL
                          AND @extschema@._has(c.requires));
$function$;
COMMENT ON FUNCTION @extschema@._record_for(@extschema@._corruption_kind) IS
    'Records what the checks of a kind compare with, where it has no others that apply.';

CREATE FUNCTION @extschema@._require_subjects(subjects text[])
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_subject text;
BEGIN
    IF cardinality(subjects) = 0 THEN
        RAISE EXCEPTION 'no subject is named'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave the argument out for all of them.';
    END IF;
    FOREACH v_subject IN ARRAY COALESCE(subjects, '{}') LOOP
        PERFORM @extschema@._require_value(v_subject, 'subjects');
        IF NOT EXISTS (SELECT FROM @extschema@._recording AS r WHERE r.subject = v_subject) THEN
            RAISE EXCEPTION 'no digests are recorded of "%"', v_subject
                USING ERRCODE = 'undefined_object',
                      DETAIL = (SELECT format('They are of %s.',
                                              string_agg(r.subject, ', ' ORDER BY r.subject))
                                  FROM @extschema@._recording AS r),
                      HINT = 'Leave the argument out for all of them.';
        END IF;
    END LOOP;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_subjects(text[]) IS
    'Raises 42704 where a subject is named that digests are not recorded of, 22023 for none.';

CREATE FUNCTION @extschema@._require_recordable(subjects text[])
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_lacking record;
BEGIN
    SELECT r.subject, c.requires INTO v_lacking
      FROM @extschema@._recording AS r
      JOIN @extschema@._integrity_check AS c ON c.check_id = r.check_id
     WHERE r.subject = ANY (subjects)
       AND NOT @extschema@._has(c.requires)
     ORDER BY r.subject COLLATE "C"
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'digests of "%" cannot be recorded of this pgGit', v_lacking.subject
            USING ERRCODE = 'PC008',
                  DETAIL = format('It takes %s.', array_to_string(v_lacking.requires, ', ')),
                  HINT = 'Leave the argument out for all that there is.';
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_recordable(text[]) IS
    'Raises PC008 where a subject is named that this pgGit lacks.';
