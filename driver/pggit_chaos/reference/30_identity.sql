--
-- Who acts, and what a commit is called.
--

-- Inside SECURITY DEFINER, current_user is the owner.  The role that the
-- session took with SET ROLE, or else logged in as, is who acts.
CREATE FUNCTION pggit._caller()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text
           ELSE current_setting('role') END;
$function$;

-- The last part of a Trinity ID follows from the others: an ID that this
-- database issued can be told from one that it never did.
CREATE FUNCTION pggit._trinity_id(issue text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT issue || '-' || left(encode(sha256(convert_to(current_database() || '/' || issue,
                                                         'UTF8')), 'hex'), 8);
$function$;

CREATE FUNCTION pggit.generate_trinity_id()
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_number text := nextval('pggit.trinity_id_seq');
BEGIN
    RETURN pggit._trinity_id(to_char(LOCALTIMESTAMP, 'YYYYMMDDHH24MISSUS') || '-'
                             || lpad(v_number, greatest(6, length(v_number)), '0'));
END;
$function$;
COMMENT ON FUNCTION pggit.generate_trinity_id() IS
    'Issues an ID that no other call has issued: time of the transaction, number, check.';

-- When an ID was issued; NULL where it is a name of the caller's own making.
CREATE FUNCTION pggit._trinity_issued_at(trinity_id text)
RETURNS timestamp
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF trinity_id !~ '^\d{20}-\d{6,}-[0-9a-f]{8}$' THEN
        RETURN NULL;
    END IF;
    IF trinity_id <> pggit._trinity_id(regexp_replace(trinity_id, '-[^-]*$', '')) THEN
        RAISE EXCEPTION 'Trinity ID "%" was not issued by this database', trinity_id
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT pggit.generate_trinity_id();';
    END IF;
    RETURN regexp_replace(left(trinity_id, 20), '^(....)(..)(..)(..)(..)(..)(......)$',
                          '\1-\2-\3 \4:\5:\6.\7');
END;
$function$;

-- The reference target follows pgGit's documentation rather than a release.
CREATE FUNCTION pggit.version()
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN 'reference';
END;
$function$;
COMMENT ON FUNCTION pggit.version() IS
    'Names this implementation.';
