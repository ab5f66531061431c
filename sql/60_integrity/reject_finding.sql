--
-- accept_finding(check_id, row_identity, reason), reject_finding(check_id, row_identity)
--
-- Accept a finding as known and lived with, so that fsck() leaves it out, and
-- take that back; the latter answers whether it had been accepted.  To accept
-- one again replaces the reason.  What has no such finding now may be accepted,
-- too.  Write: _accepted_finding.
--
CREATE FUNCTION @extschema@.accept_finding(check_id text, row_identity text, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(check_id, 'check_id');
    PERFORM @extschema@._require_value(row_identity, 'row_identity');
    PERFORM @extschema@._require_value(reason, 'reason');
    PERFORM @extschema@._require_check(check_id);
    INSERT INTO @extschema@._accepted_finding AS a
        (check_id, row_identity, reason, accepted_at, accepted_by)
    VALUES (check_id, row_identity, reason, statement_timestamp(), session_user)
    ON CONFLICT ON CONSTRAINT _accepted_finding_pkey DO UPDATE
       SET reason = EXCLUDED.reason,
           accepted_at = EXCLUDED.accepted_at,
           accepted_by = EXCLUDED.accepted_by;
END;
$function$;
COMMENT ON FUNCTION @extschema@.accept_finding(text, text, text) IS
    'Accepts a finding as known and lived with, so that fsck() leaves it out.';

CREATE FUNCTION @extschema@.reject_finding(check_id text, row_identity text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@._require_enabled();
    PERFORM @extschema@._require_value(check_id, 'check_id');
    PERFORM @extschema@._require_value(row_identity, 'row_identity');
    DELETE FROM @extschema@._accepted_finding AS a
     WHERE a.check_id = reject_finding.check_id
       AND a.row_identity = reject_finding.row_identity;
    RETURN FOUND;
END;
$function$;
COMMENT ON FUNCTION @extschema@.reject_finding(text, text) IS
    'Takes back that a finding was accepted; false where it was not.';

--
-- accepted_finding
--
-- What was accepted, and whether it is still to be found: whoever reads that
-- runs the checks.
--
CREATE VIEW @extschema@.accepted_finding AS
WITH found AS MATERIALIZED (
    SELECT f.check_id, f.row_identity
      FROM @extschema@._check_findings(
               ARRAY(SELECT c.check_id
                       FROM @extschema@._integrity_check AS c
                      WHERE c.check_id IN (SELECT a.check_id FROM @extschema@._accepted_finding AS a)
                        AND c.check_id = ANY ((SELECT @extschema@._applying_checks())::text[])),
               'info', true) AS f)
SELECT a.check_id,
       a.row_identity,
       a.reason,
       NOT EXISTS (SELECT
                     FROM found AS f
                    WHERE f.check_id = a.check_id
                      AND f.row_identity = a.row_identity) AS stale,
       a.accepted_at,
       a.accepted_by
  FROM @extschema@._accepted_finding AS a;
COMMENT ON VIEW @extschema@.accepted_finding IS
    'The findings that were accepted, why, and whether they are stale: no longer to be found.';
