--
-- _seal(text), _unseal(bytea)
--
-- A text that stands where every role can read it, legible to who can read the
-- key.  It is masked by SHA-256 of key, nonce and block number (counter mode); the
-- nonce is new each time and stands in front.  PostgreSQL knows XOR for bit
-- strings alone; their wire format is a length and the bytes.  Write nothing.
--
CREATE FUNCTION @extschema@._seal(content text)
RETURNS bytea
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT n.nonce || @extschema@._masked(convert_to(content, getdatabaseencoding()), n.nonce)
      FROM (SELECT uuid_send(gen_random_uuid())) AS n(nonce);
$function$;
COMMENT ON FUNCTION @extschema@._seal(text) IS
    'Makes a text illegible to whoever cannot read the key.';

CREATE FUNCTION @extschema@._unseal(sealed bytea)
RETURNS text
LANGUAGE sql
STABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT convert_from(@extschema@._masked(substr(sealed, 17), substr(sealed, 1, 16)),
                        getdatabaseencoding());
$function$;
COMMENT ON FUNCTION @extschema@._unseal(bytea) IS
    'Makes a sealed text legible again.';

CREATE FUNCTION @extschema@._masked(content bytea, nonce bytea)
RETURNS bytea
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT substr(varbit_send(('x' || encode(content, 'hex'))::varbit
                              # ('x' || encode(substr(m.mask, 1, length(content)), 'hex'))::varbit),
                  5)
      FROM (SELECT string_agg(sha256(s.key || nonce || int8send(b.number)), '' ORDER BY b.number)
              FROM @extschema@._secret AS s
             CROSS JOIN generate_series(1::bigint, length(content) / 32 + 1) AS b(number)
           ) AS m(mask);
$function$;
COMMENT ON FUNCTION @extschema@._masked(bytea, bytea) IS
    'Masks bytes with the key and a nonce; done twice it gives them back.';
