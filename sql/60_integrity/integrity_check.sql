--
-- _applying_checks(), integrity_check, _require_check(check_id)
--
-- The checks that fsck() runs.  One that has nothing to read, or nothing recorded to
-- compare with, does not apply; it is never taken for one that found nothing.
-- Write nothing.
--
CREATE FUNCTION @extschema@._applying_checks()
RETURNS text[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The catalogue is asked once for all checks, and one digest says that there are some.
    SELECT ARRAY(SELECT c.check_id
                   FROM @extschema@._integrity_check AS c
                  WHERE c.requires <@ (SELECT @extschema@._present(array_agg(r.name))
                                         FROM @extschema@._integrity_check AS o
                                        CROSS JOIN LATERAL unnest(o.requires) AS r(name))
                    AND (c.compares IS NULL
                         OR (SELECT d.subject
                               FROM @extschema@._recorded_digest AS d
                              WHERE d.subject = c.compares
                              LIMIT 1) IS NOT NULL));
$function$;
COMMENT ON FUNCTION @extschema@._applying_checks() IS
    'Names the checks that have here what they read, and what they compare with.';

CREATE VIEW @extschema@.integrity_check AS
SELECT c.check_id,
       c.category,
       c.severity,
       c.sound,
       c.summary,
       EXISTS (SELECT FROM @extschema@._repair AS r WHERE r.check_id = c.check_id) AS repairable,
       (SELECT cardinality(@extschema@._pggit_schemas()) > 0)
       AND c.check_id = ANY ((SELECT @extschema@._applying_checks())::text[]) AS applies
  FROM @extschema@._integrity_check AS c;
COMMENT ON VIEW @extschema@.integrity_check IS
    'What fsck() checks, whether a finding is damage on every pgGit, and whether it applies here.';

CREATE FUNCTION @extschema@._require_check(check_id text)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_check @extschema@._integrity_check;
BEGIN
    SELECT c.* INTO v_check
      FROM @extschema@._integrity_check AS c
     WHERE c.check_id = _require_check.check_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'integrity check "%" does not exist', check_id
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: '
                                    || @extschema@._near(check_id, (SELECT array_agg(c.check_id)
                                           FROM @extschema@._integrity_check AS c))
                                    || '.', 'No check has a name like it.'),
                  HINT = 'SELECT check_id, summary FROM @extschema@.integrity_check;';
    ELSIF NOT @extschema@._has(v_check.requires) THEN
        RAISE EXCEPTION 'integrity check "%" does not apply to this pgGit', check_id
            USING ERRCODE = 'PC008',
                  DETAIL = format('It reads %s.', array_to_string(v_check.requires, ', ')),
                  HINT = 'SELECT check_id, summary FROM @extschema@.integrity_check WHERE applies;';
    ELSIF check_id <> ALL (@extschema@._applying_checks()) THEN
        RAISE EXCEPTION 'integrity check "%" has nothing to compare with', check_id
            USING ERRCODE = 'PC008',
                  DETAIL = format('No digests of "%s" are recorded here.', v_check.compares),
                  HINT = format('SELECT * FROM @extschema@.record_digests(''{%s}'');',
                                v_check.compares);
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_check(text) IS
    'Raises 42704 where a check does not exist and PC008 where it does not apply here.';
