--
-- corruption_kind, _corruption_kind_named(kind), _pick(seed, key)
--
-- What can be corrupted.  Write nothing.
--
CREATE VIEW @extschema@.corruption_kind AS
SELECT k.kind,
       k.category,
       k.summary,
       k.detected_by,
       (SELECT cardinality(@extschema@._pggit_schemas()) > 0)
       AND k.requires <@ (SELECT @extschema@._present(array_agg(r.name))
                            FROM @extschema@._corruption_kind AS o
                           CROSS JOIN LATERAL unnest(o.requires) AS r(name)) AS applies
  FROM @extschema@._corruption_kind AS k;
COMMENT ON VIEW @extschema@.corruption_kind IS
    'What corrupt() can do, which checks must find it, and whether this pgGit has what it damages.';

CREATE FUNCTION @extschema@._corruption_kind_named(kind text)
RETURNS @extschema@._corruption_kind
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_kind @extschema@._corruption_kind;
BEGIN
    SELECT k.* INTO v_kind
      FROM @extschema@._corruption_kind AS k
     WHERE k.kind = _corruption_kind_named.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'corruption kind "%" does not exist', kind
            USING ERRCODE = 'undefined_object',
                  DETAIL = COALESCE('Near it: '
                                    || @extschema@._near(kind, (SELECT array_agg(k.kind)
                                           FROM @extschema@._corruption_kind AS k))
                                    || '.', 'No kind has a name like it.'),
                  HINT = 'SELECT kind, summary FROM @extschema@.corruption_kind;';
    ELSIF NOT @extschema@._has(v_kind.requires) THEN
        RAISE EXCEPTION 'corruption kind "%" does not apply to this pgGit', kind
            USING ERRCODE = 'PC008',
                  DETAIL = format('It needs %s.', array_to_string(v_kind.requires, ', ')),
                  HINT = 'SELECT kind, summary FROM @extschema@.corruption_kind WHERE applies;';
    END IF;
    RETURN v_kind;
END;
$function$;
COMMENT ON FUNCTION @extschema@._corruption_kind_named(text) IS
    'Finds a kind of corruption; 42704 where there is none, PC008 where it does not apply.';

CREATE FUNCTION @extschema@._pick(seed bigint, key text)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT hashtextextended(key COLLATE "C", seed);
$function$;
COMMENT ON FUNCTION @extschema@._pick(bigint, text) IS
    'Gives the candidates of a corruption an order that the seed alone decides.';
