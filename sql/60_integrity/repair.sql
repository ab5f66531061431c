--
-- repair(check_id, dry_run)
--
-- Mends what a check finds by rules that its file holds, and answers each
-- statement that it takes; a dry run shows them and does nothing.  What was
-- accepted is left alone.  A repair that would leave a finding, or bring about
-- one of another check, raises PC012 and is not done.  It is recorded like a
-- corruption, with images, and undone by heal().  Writes: pgGit's metadata,
-- _corruption, _corruption_image.  Locks: SHARE ROW EXCLUSIVE on the table, or
-- what the statements take.
-- Calls: _repair_of, _repair_statements, _corrupt, _require_repaired.
--
CREATE FUNCTION @extschema@.repair(check_id text, dry_run boolean DEFAULT true)
RETURNS TABLE (statement text, applied boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_repair @extschema@._corruption_kind;
    v_before jsonb;
BEGIN
    PERFORM @extschema@._require_value(check_id, 'check_id');
    PERFORM @extschema@._require_value(dry_run, 'dry_run');
    PERFORM @extschema@._require_pggit();
    PERFORM @extschema@._require_check(check_id);
    v_repair := @extschema@._repair_of(check_id);
    IF NOT dry_run THEN
        PERFORM @extschema@._require_enabled();
        PERFORM @extschema@._require_replica_role();
        v_before := @extschema@._finding_keys();
        IF v_repair.relation IS NOT NULL THEN
            -- What is answered is what is done.
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE',
                           v_repair.relation::regclass);
        END IF;
    END IF;
    RETURN QUERY
        SELECT s.statement, NOT dry_run
          FROM @extschema@._repair_statements(v_repair) AS s(statement);
    IF NOT dry_run THEN
        IF FOUND THEN
            PERFORM @extschema@._corrupt(v_repair, 0);
        END IF;
        PERFORM @extschema@._require_repaired(check_id, v_before);
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@.repair(text, boolean) IS
    'Mends what a check finds, or by default only shows the statements that would; see heal().';

--
-- _repair_of(check_id), _repair_statements(repair), _row_statement(...),
-- _written_columns(relation), _columns_as_text(relation, of_row),
-- _finding_keys(), _require_repaired(check_id, before)
--
-- A repair is a kind of corruption that has a check to choose its victims: its
-- query sees the open findings of the check as the table finding.
--
CREATE FUNCTION @extschema@._repair_of(check_id text)
RETURNS @extschema@._corruption_kind
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_kind   @extschema@._corruption_kind;
    v_action text;
BEGIN
    SELECT c.action INTO v_action
      FROM @extschema@._integrity_check AS c
     WHERE c.check_id = _repair_of.check_id;
    SELECT k.* INTO v_kind
      FROM @extschema@._repair AS r
      JOIN @extschema@._integrity_check AS c ON c.check_id = r.check_id
     CROSS JOIN LATERAL jsonb_populate_record(
           NULL::@extschema@._corruption_kind,
           jsonb_build_object(
               'kind', format('repair(%s)', r.check_id),
               'method', r.method,
               'relation', r.relation,
               'query', format('WITH finding AS MATERIALIZED ('
                               ' SELECT f.row_identity'
                               '   FROM (%s) AS f(row_identity, message)'
                               '  WHERE NOT EXISTS (SELECT'
                               '                      FROM @extschema@._accepted_finding AS a'
                               '                     WHERE (a.check_id, a.row_identity)'
                               '                         = (%L, f.row_identity))'
                               '  GROUP BY f.row_identity)'
                               'SELECT r.* FROM (%s) AS r', c.query, c.check_id, r.query))) AS k
     WHERE r.check_id = _repair_of.check_id;
    IF v_kind.kind IS NULL THEN
        RAISE EXCEPTION 'what integrity check "%" finds cannot be repaired by rule', check_id
            USING ERRCODE = 'PC011',
                  DETAIL = v_action,
                  HINT = 'SELECT check_id FROM @extschema@.integrity_check WHERE repairable;';
    END IF;
    RETURN v_kind;
END;
$function$;
COMMENT ON FUNCTION @extschema@._repair_of(text) IS
    'Makes a kind of corruption of the repair of a check; PC011 where it has none.';

CREATE FUNCTION @extschema@._repair_statements(repair @extschema@._corruption_kind)
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET datestyle = 'ISO, YMD'
SET intervalstyle = postgres
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
AS $function$
BEGIN
    CASE repair.method
        WHEN 'sequence' THEN
            RETURN QUERY EXECUTE format(
                'SELECT format(''SELECT setval(%%L, %%s, %%L)'', r.sequence, r.last_value,'
                '              r.is_called)'
                '  FROM (%s) AS r', repair.query);
        WHEN 'statement' THEN
            RETURN QUERY EXECUTE format('SELECT r.damage FROM (%s) AS r', repair.query);
        ELSE
            RETURN QUERY EXECUTE format(
                'SELECT @extschema@._row_statement(%L, d.before, d.after)'
                '  FROM (%s) AS d(before, after)'
                ' WHERE d.before IS DISTINCT FROM d.after'
                ' ORDER BY d.before COLLATE "C", d.after COLLATE "C"',
                repair.relation, @extschema@._damaged_rows(repair));
    END CASE;
END;
$function$;
COMMENT ON FUNCTION @extschema@._repair_statements(@extschema@._corruption_kind) IS
    'Spells what a repair does as statements, in the order in which it is done.';

CREATE FUNCTION @extschema@._row_statement(relation regclass, before text, after text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_names  name[];
    v_before text[];
    v_after  text[];
    v_where  text;
BEGIN
    EXECUTE format('SELECT %s, %s FROM (SELECT $1::%3$s AS b, $2::%3$s AS a OFFSET 0) AS i',
                   @extschema@._columns_as_text(relation, 'i.b'),
                   @extschema@._columns_as_text(relation, 'i.a'), relation)
       INTO v_before, v_after
      USING before, after;
    v_names := ARRAY(SELECT c.name FROM @extschema@._written_columns(relation) AS c(name));
    v_where := (SELECT COALESCE(string_agg(format('%I = %L', c.name, c.value), ' AND '),
                                format('(t.*)::text = %L', before))
                  FROM unnest(v_names, v_before) AS c(name, value)
                 WHERE c.name = ANY (@extschema@._primary_key(relation)));
    RETURN CASE
        WHEN before IS NULL THEN
            (SELECT format('INSERT INTO %s (%s) VALUES (%s)', relation,
                           string_agg(quote_ident(c.name), ', '),
                           string_agg(quote_nullable(c.value), ', '))
               FROM unnest(v_names, v_after) AS c(name, value))
        WHEN after IS NULL THEN
            format('DELETE FROM ONLY %s AS t WHERE %s', relation, v_where)
        ELSE
            (SELECT format('UPDATE ONLY %s AS t SET %s WHERE %s', relation,
                           string_agg(format('%I = %L', c.name, c.new), ', '), v_where)
               FROM unnest(v_names, v_before, v_after) AS c(name, old, new)
              WHERE c.old IS DISTINCT FROM c.new)
    END;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_statement(regclass, text, text) IS
    'Spells the step from one image of a row to the other as a statement.';

CREATE FUNCTION @extschema@._written_columns(relation regclass)
RETURNS SETOF name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT a.attname
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped
       AND a.attgenerated = ''
     ORDER BY a.attnum;
$function$;
COMMENT ON FUNCTION @extschema@._written_columns(regclass) IS
    'Lists the columns of a table but those that are generated, in order.';

CREATE FUNCTION @extschema@._columns_as_text(relation regclass, of_row text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format('ARRAY[%s]', string_agg(format('(%s).%I::text', of_row, c.name), ', '))
      FROM @extschema@._written_columns(relation) AS c(name);
$function$;
COMMENT ON FUNCTION @extschema@._columns_as_text(regclass, text) IS
    'Makes the expression for the columns of a row that are not generated, as an array of text.';

CREATE FUNCTION @extschema@._finding_keys()
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(jsonb_object_agg(k.key, true), '{}')
      FROM (SELECT f.check_id || ' ' || f.row_identity
              FROM @extschema@._check_findings(NULL, 'info', true) AS f) AS k(key);
$function$;
COMMENT ON FUNCTION @extschema@._finding_keys() IS
    'Holds which check finds which rows, accepted ones too, to be compared.';

CREATE FUNCTION @extschema@._require_repaired(check_id text, before jsonb)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_left text;
BEGIN
    SELECT string_agg(format('%s %s: %s', f.check_id, f.row_identity, f.message), '; ') INTO v_left
      FROM (SELECT f.*
              FROM @extschema@._check_findings(NULL, 'info', false) AS f
             WHERE f.check_id = _require_repaired.check_id
                OR NOT before ? (f.check_id || ' ' || f.row_identity)
             LIMIT 5) AS f;
    IF v_left IS NOT NULL THEN
        RAISE EXCEPTION 'what integrity check "%" finds is not repaired by rule alone', check_id
            USING ERRCODE = 'PC012',
                  DETAIL = format('There would be: %s.', v_left),
                  HINT = format('See what it takes, and do it by hand: '
                                'SELECT statement FROM @extschema@.repair(%L);', check_id);
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._require_repaired(text, jsonb) IS
    'Raises PC012 where a check still finds something, or another one something new.';
